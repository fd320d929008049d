"""Damaged files of every kind that the toolkit reads, made by the ten thousand, and what becomes of them; see docs/robustness.md."""
