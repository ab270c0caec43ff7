"""Validate a cohort before anything is trained on it: every fault in one table, then stop."""

from pfps_ml.core.console import command
from pfps_ml.workflows.validate import main

if __name__ == "__main__":
    command(main)
