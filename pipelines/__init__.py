"""The main jobs as short scripts, for a checkout: `python -m pipelines.train` is `pfps train`."""
