"""Measures neonps beside other drivers; `python -m benchmarks` runs it."""
