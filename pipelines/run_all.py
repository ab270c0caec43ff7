"""The main job: simulate, validate, train, evaluate, release, track, and score the example roster."""

from pfps_ml.core.console import command
from pfps_ml.workflows.run_all import main

if __name__ == "__main__":
    command(main)
