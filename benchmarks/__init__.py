"""Measurements: accuracy, timings and comparisons."""
