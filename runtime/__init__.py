"""Runtime: from an image to its labels, through one of several inference engines. Needs no PyTorch."""
