"""Scoring at any size: in pieces, on all cores or a cluster, and gone on with after it was killed."""
