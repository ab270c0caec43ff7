"""The main jobs as short scripts, for a checkout: `python -m pipelines.train`. `pfps` has them as commands, too."""
