"""Scoring files and folders of any size, on all cores or a cluster."""
