"""INT8 calibration of exported models."""
