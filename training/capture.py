"""A training update replayed as a CUDA graph: one launch instead of a thousand, for the host is slower than the GPU.

    update = CapturedUpdate(update, optimizer)
    figures = update(batch, corners)

The optimizer is fused, and its learning rate a tensor on the device, so that the schedule goes on without a new capture.
After the notes on CUDA graphs in PyTorch's manual ("Whole-network capture").
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ainet.errors import AINetError
from ainet.training.augment import Batch

WARM_UP = 3  # updates before a capture: libraries choose their algorithms and compilers compile
Update = Callable[[Batch, Tensor | None], Tensor]


class CaptureError(AINetError):
    """Something in an update cannot be recorded. That update has changed nothing."""


class CapturedUpdate:
    """Does what `update` does: forward, backward and step of the optimizer; gives the figures.

    All inputs keep their shapes. The first updates, and those after the boundary loss sets in, run as they are, on a side
    stream; they count as any other.

    Raises:
        CaptureError: when called. The process should not go on with updates: PyTorch's memory may be left in disorder.
    """

    def __init__(self, update: Update, optimizer: torch.optim.Optimizer) -> None:
        self._update, self._optimizer = update, optimizer
        self._inputs: list[Tensor] = []  # the graph reads these: image, label, plain_label, and corners where there are any
        self._figures: Tensor | None = None  # the graph writes these
        self._graph: torch.cuda.CUDAGraph | None = None
        self._warm = 0

    def __call__(self, batch: Batch, corners: Tensor | None) -> Tensor:
        given = [*batch] if corners is None else [*batch, corners]
        if len(given) != len(self._inputs):
            self._graph, self._figures, self._warm = None, None, 0
            self._inputs = [value.clone() for value in given]
        for own, value in zip(self._inputs, given, strict=True):
            own.copy_(value)
        if self._warm < WARM_UP:
            self._warm += 1
            return self._on_side_stream()
        if self._graph is None:
            self._graph = self._capture()
        self._graph.replay()
        assert self._figures is not None
        return self._figures.clone()

    def _run(self) -> Tensor:
        corners = self._inputs[3] if len(self._inputs) > 3 else None
        return self._update(Batch(*self._inputs[:3]), corners)

    def _on_side_stream(self) -> Tensor:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            figures = self._run()
        torch.cuda.current_stream().wait_stream(stream)
        return figures

    def _capture(self) -> torch.cuda.CUDAGraph:
        """Record the update without running it."""
        self._optimizer.zero_grad(set_to_none=True)  # so that the graph makes its own gradients, and overwrites them
        try:
            graph = torch.cuda.CUDAGraph()
            self._capturable(True)
            # The outer context: a capture that fails leaves its own stream the current one.
            with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
                self._figures = self._run()
        except RuntimeError as error:
            reason = str(error).strip().partition("\n")[0]
            raise CaptureError(f"the updates cannot be captured as a CUDA graph ({reason})") from error
        finally:
            self._capturable(False)
        return graph

    def _capturable(self, value: bool) -> None:
        """Fused Adam counts its steps on the device in any case; the flag only allows the capture, and warns outside of one."""
        for group in self._optimizer.param_groups:
            group["capturable"] = value
