"""Superpixels of a method and their merge trees, one for each cost: what the benchmarks of merged regions start from.

    method = open_trees("ainet")
    method.grid(image, 600)                                     # its superpixels as they are, about 600
    method.trees(image, plan_segments(*image.shape[:2], 1200))  # {"plain": Hierarchy, "image": ..., "network": ...}

A cost is "plain", "image" (learned, of the image alone) or "network" (learned, with the border map of the model file).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import Method, Options, open_method
from ainet.errors import ModelError
from ainet.merge_tree import Hierarchy, grow_tree, image_model
from ainet.models import BUNDLED
from ainet.runtime.backends.base import Backend, MergingBackend
from ainet.runtime.oversegmentation import over_segment
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import MIN_SEGMENTS, Plan, plan_segments
from ainet.segmenter import Segmenter

Image = NDArray[np.uint8]
Labels = NDArray[np.int32]


class TreeMethod(Protocol):
    """A superpixel method whose superpixels merge."""

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON values: all that decides the labels."""
        ...

    def grid(self, image: Image, count: int) -> Labels:
        """Its own superpixels, about `count`."""
        ...

    def trees(self, image: Image, plan: Plan, at_least: int = 1) -> dict[str, Hierarchy]:
        """By cost, the tree of the superpixels of a plan; `at_least`: see `grow_tree`."""
        ...


def open_trees(name: str, options: Options | None = None, model: Path | None = None) -> TreeMethod:
    """The method called `name`, one of `ainet.benchmarks.peers`; `model`: an ONNX file in place of bundled weights.

    Raises:
        UsageError, DeviceError, ModelError: as of `peers.open_method` and `Segmenter.load`; ModelError: `model` is of another network.
    """
    if name in BUNDLED:
        backend = Segmenter.load(name if model is None else model, "cpu", 1).backend
        if backend.info.network != name:
            raise ModelError(f"{model} is of the network {backend.info.network}, not of {name}; name it as the method, or another model")
        return NetworkTrees(backend)
    return PeerTrees(open_method(name, options or Options()))


@dataclass(frozen=True)
class NetworkTrees:
    """One of our networks, with the cost of its model file."""

    backend: Backend

    @property
    def parameters(self) -> dict[str, Any]:
        info = self.backend.info
        return {"network": info.network, "checkpoint_sha256": info.checkpoint_sha256, "checkpoint": info.checkpoint}

    def grid(self, image: Image, count: int) -> Labels:
        height, width = image.shape[:2]
        return run_pipeline(self.backend, image[None], plan_segments(height, width, max(count, MIN_SEGMENTS)))[0]

    def trees(self, image: Image, plan: Plan, at_least: int = 1) -> dict[str, Hierarchy]:
        labels, border_map = over_segment(self.backend, image, plan)
        found = _trees(labels, image, at_least)
        if border_map is not None and isinstance(self.backend, MergingBackend):
            found["network"] = grow_tree(labels, image, self.backend.merge_model, border_map, at_least=at_least)
        return found


@dataclass(frozen=True)
class PeerTrees:
    """Any other method, by the costs that need no network."""

    method: Method

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.method.parameters)

    def grid(self, image: Image, count: int) -> Labels:
        return self.method(image, count)

    def trees(self, image: Image, plan: Plan, at_least: int = 1) -> dict[str, Hierarchy]:
        return _trees(self.method(image, plan.cells), image, at_least)


def _trees(labels: Labels, image: Image, at_least: int) -> dict[str, Hierarchy]:
    return {
        "plain": grow_tree(labels, image, None, at_least=at_least),
        "image": grow_tree(labels, image, image_model(), at_least=at_least),
    }
