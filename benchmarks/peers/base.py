"""What every method looks like to the benchmarks.

method = open_method("slic", Options())
stages = Stages()
labels = method(image, 600, stages)    # (H, W) int32, 0..K-1, each label 4-connected
stages.seconds                         # {"network": 0.04, "assignment": 0.001, "connectivity": 0.001}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.speed.clock import Stages


@dataclass(frozen=True)
class Options:
    """Where and with what the methods run. A method ignores what does not concern it."""

    # Folder with ssn.safetensors, seal.safetensors, weights.safetensors for `checkpoint`, and NETWORK.engine for `NETWORK@tensorrt`.
    weights: Path | None = None
    device: str = "cpu"  # of the methods in torch: "cpu" or "cuda"; ours name their backend in the method's name
    threads: int = 1  # of the CPU for one image


@dataclass(frozen=True)
class Name:
    """A method's name in parts, "ainet@openvino+fp32+best": network, device, precision ("" where it has none), and the way to count."""

    network: str
    device: str
    precision: str
    exact: bool  # superpixels merged to the exact number, else those of the plain grid

    @classmethod
    def parse(cls, text: str) -> "Name":
        network, _, place = text.partition("@")
        device, *additions = place.split("+")
        exact = "best" in additions
        return cls(network, device, "+".join(part for part in additions if part != "best"), exact)


class Method(Protocol):
    """A superpixel method with its parameters and weights bound."""

    name: str
    parameters: Mapping[str, Any]  # JSON values: all that decides the labels, with the versions and hashes behind it
    trained: bool  # False: random weights, for timing only

    def __call__(self, image: NDArray[np.uint8], n_segments: int, stages: Stages | None = None) -> NDArray[np.int32]:
        """RGB (H, W, 3) -> labels (H, W), 0..K-1, each label one 4-connected region, K near `n_segments`.

        On a device, each stage is synchronised at its end.
        """
        ...
