"""The steps around the network on an NVIDIA GPU; without one, the same kernels run on the host for the tests."""
