"""Pipelines, run from a checkout: simulate, validate, train, evaluate, release, and all of them in one go."""
