"""The processes of one run: those that torchrun started, or this one alone."""

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


class Processes:
    """rank: number of this process; count: how many there are. To be made after `torch.distributed.init_process_group`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.rank, self.count = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)

    @property
    def first(self) -> bool:
        """Whether this process writes files and reports."""
        return self.rank == 0

    @property
    def first_here(self) -> bool:
        """Whether this process is the first one on its host."""
        return os.environ.get("LOCAL_RANK", "0") == "0"

    def lost(self, error: RuntimeError) -> bool:
        """Whether an error says that another process is gone. Gloo has no class for that, but names itself."""
        return self.count > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error))

    def each(self, value: int) -> list[int]:
        """The value of every process. All of them meet here."""
        if self.count == 1:
            return [value]
        values = [torch.zeros((), dtype=torch.int64, device=self._device) for _ in range(self.count)]
        dist.all_gather(values, torch.tensor(value, device=self._device))
        return [int(found) for found in values]

    def any(self, *wishes: bool) -> list[bool]:
        """Which wishes any process has. All processes meet here."""
        if self.count == 1:
            return list(wishes)
        votes = torch.tensor(wishes, dtype=torch.int32, device=self._device)
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return [bool(vote) for vote in votes]

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes. All of them meet here."""
        if self.count == 1:
            return values
        values = values.clone()
        dist.all_reduce(values)
        return values / self.count

    def distributed(self, step: nn.Module) -> nn.Module:
        """`step`, such that its gradients and BatchNorm's statistics are those of the batches of all processes (the latter on GPUs)."""
        if self.count == 1:
            return step
        if self._device.type == "cuda":
            step = nn.SyncBatchNorm.convert_sync_batchnorm(step)
        return DistributedDataParallel(step)
