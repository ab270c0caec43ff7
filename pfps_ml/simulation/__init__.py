"""The simulated world, and the published figures and trials that it is held to."""
