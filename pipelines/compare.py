"""Compare all candidates on the same splits, with intervals on the differences from ours, and log it to MLflow."""

from pfps_ml.core.console import command
from pfps_ml.workflows.compare import main

if __name__ == "__main__":
    command(main)
