"""A backend without a network."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.runtime.model import ModelInfo
from ainet.runtime.postprocess import assign
from ainet.spec import MEAN
from support.planes import normalise


class Reduction:
    """Gives exact scores that follow the picture, in blocks of 4 x 4 pixels. sizes: of what it ran."""

    name = "reduction"

    def __init__(self, output: str = "logits", network: str = "none") -> None:
        self.info = ModelInfo(network, output, "fp32", MEAN, "0" * 64, {}, "0")
        self.sizes: list[tuple[int, ...]] = []

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        self.sizes.append(image.shape)
        if self.info.output == "labels":
            assert image.dtype == np.uint8
            scores = self.scores(normalise(image, MEAN))
            return assign(scores, *scores.shape[2:])
        return self.scores(image)

    @staticmethod
    def scores(image: NDArray[np.float32]) -> NDArray[np.float32]:
        assert image.dtype == np.float32
        blocks = image[:, :, ::4, ::4].repeat(4, 2).repeat(4, 3)  # (N, 3, h, w)
        return np.stack([np.abs(blocks[:, k % 3] - k / 9 + 0.3) for k in range(9)], 1)

    def close(self) -> None:
        pass
