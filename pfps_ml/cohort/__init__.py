"""The simulated world: runners, patients, what a club measures of them, and what becomes of them."""
