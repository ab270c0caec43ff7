"""The jobs of the pipelines and of `pfps`: simulate, train, evaluate, compare, release, track, report."""
