"""A real cohort in: a file with outcomes becomes coded fields, outcomes, and an account of every row."""
