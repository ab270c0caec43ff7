"""Training logs: what watches and phones export, read as runs, and summed into the load that a roster asks for."""
