"""Timings as ratios within one run: ``python -m tests.bench`` (seconds depend on the machine, ratios less)."""
