"""Serving with NVIDIA Triton, whose server comes with the package nvidia-pytriton: `ainet serve`."""
