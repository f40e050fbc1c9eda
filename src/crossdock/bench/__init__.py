"""Benchmarks: each makes a hub of its own, measures ratios in one run, and ends within a minute."""
