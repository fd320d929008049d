"""Measurements: metrics, timings and comparisons."""
