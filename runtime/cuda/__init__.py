"""The steps around the network on an NVIDIA GPU."""
