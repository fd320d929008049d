"""A backend with one answer for every image."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.runtime.merging import MergeModel
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN


class FixedBackend:
    """Gives `answer` to whatever it is asked, and keeps what it was asked in `inputs`."""

    def __init__(self, answer: NDArray[Any], output: str = "logits", precision: str = "fp32") -> None:
        self.info = ModelInfo("ainet", output, precision, MEAN, "", {}, "0")
        self.name = "fixed"
        self.answer = answer
        self.inputs: list[NDArray[np.generic]] = []

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        self.inputs.append(image)
        return self.answer

    def close(self) -> None: ...


class FixedMap(FixedBackend):
    """The same, with a border map beside it, for that cost."""

    def __init__(self, answer: NDArray[Any], border_map: NDArray[np.float32], merge_model: MergeModel) -> None:
        super().__init__(answer)
        self.border_map, self.merge_model = border_map, merge_model

    def run_with_map(self, image: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.float32]]:
        return self.run(image), self.border_map
