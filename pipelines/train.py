"""Train the onset and the pathway model on the training clubs, and write them as a candidate for release."""

from pfps_ml.core.console import command
from pfps_ml.workflows.train import main

if __name__ == "__main__":
    command(main)
