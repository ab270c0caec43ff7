"""Benchmarks: what the product reaches, printed as tables, against what can be reached."""
