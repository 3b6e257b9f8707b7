"""Measurements; results and method are in benchmarks/RESULTS.md."""
