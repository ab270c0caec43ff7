"""Simulate a cohort: the observed frames, and the truth apart from them, in chunks of any size."""

import sys

from pfps_ml.core.console import command, spelt_out
from pfps_ml.workflows.simulate import main

if __name__ == "__main__":
    sys.argv[1:] = spelt_out(sys.argv[1:])
    command(main)
