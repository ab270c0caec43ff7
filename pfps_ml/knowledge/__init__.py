"""Facts: the dictionary of fields, the evidence ledger and the scenarios. Numbers live here and nowhere else."""
