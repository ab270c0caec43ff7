"""Release a candidate that passes the gate: a name, a card, a manifest; written whole, and models/CURRENT moved."""

from pfps_ml.core.console import command
from pfps_ml.workflows.release import main

if __name__ == "__main__":
    command(main)
