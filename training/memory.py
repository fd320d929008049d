"""Whether an error says that memory has run out, on the host or on a GPU."""

import torch

MEMORY_ERRORS = (MemoryError, RuntimeError)  # what is raised then


def is_out_of_memory(error: BaseException) -> bool:
    """PyTorch has a class for a GPU's memory, and for the host's a RuntimeError that names its allocator."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
