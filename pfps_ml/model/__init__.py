"""The released models at run time."""
