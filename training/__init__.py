"""Training: networks, checkpoints, data sets, losses and the trainer. Needs PyTorch."""
