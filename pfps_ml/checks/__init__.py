"""What can make a model of a cohort look better than it is, looked for before anything is trained on it."""
