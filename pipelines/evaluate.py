"""Evaluate a candidate on the clubs that training never saw: figures with intervals, pictures, tables, one report."""

from pfps_ml.core.console import command
from pfps_ml.workflows.evaluate import main

if __name__ == "__main__":
    command(main)
