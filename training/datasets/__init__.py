"""Data sets for training and validation."""
