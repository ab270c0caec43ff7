"""How models are judged: figures with intervals, effects, checks of a cohort, external validation, displays."""
