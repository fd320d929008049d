"""What INT8 costs: each layer's damage alone, and which layers to leave in float to keep the boundaries.

    result = keep_boundaries(calibration, images, score, max_asa_drop=0.001)
    model = calibration.model(result.float_layers)

How good a segmentation is, the caller says: `score` maps label maps, one per image, to their mean (ASA, BR).
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ainet.calibration.images import CalibrationImage, plan_of
from ainet.calibration.quantise import Calibration
from ainet.errors import ModelError, UsageError
from ainet.runtime.backends import Backend
from ainet.runtime.backends.onnx_runtime import OnnxRuntimeBackend
from ainet.runtime.pipeline import run_pipeline

Score = Callable[[Sequence[NDArray[np.int32]]], tuple[float, float]]
Progress = Callable[[str, int, int], None]  # what is measured, how many models are done, how many there are at most

MAX_BR_DROP = 0.005
MIN_AGREEMENT = 0.98
MAX_FLOAT = 0.5  # share of the layers that may stay in float; with fewer in INT8 a model is not worth the name


@dataclass(frozen=True)
class Damage:
    """What a model loses against the float one: share of pixels with another best cell, and drops of ASA and BR (negative: gains)."""

    disagreement: float
    asa_drop: float
    br_drop: float

    def within(self, max_asa_drop: float) -> bool:
        return self.asa_drop <= max_asa_drop and self.br_drop <= MAX_BR_DROP and self.disagreement <= 1 - MIN_AGREEMENT

    def __str__(self) -> str:
        return f"ASA {-self.asa_drop:+.4f}, BR {-self.br_drop:+.4f}, best cell equal {1 - self.disagreement:.2%}"


@dataclass(frozen=True)
class Result:
    """`all_int8`: damage with every layer in INT8; `damage`: with `float_layers` in float. `alone`: of each layer alone in INT8,
    empty where it was not asked for and not needed."""

    all_int8: Damage
    damage: Damage
    float_layers: tuple[str, ...]
    alone: dict[str, Damage]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Comparison:
    """Measures models against the float model of `calibration` on `images`, through ONNX Runtime and the runtime's pipeline."""

    def __init__(self, calibration: Calibration, images: Sequence[CalibrationImage], score: Score) -> None:
        self._images, self._score = images, score
        self._cells: list[NDArray[Any]] = []
        self._cells, labels = self._run(calibration.float_model)
        self.float_scores = score(labels)

    def __call__(self, model: onnx.ModelProto) -> Damage:
        cells, labels = self._run(model)
        equal = np.mean([np.mean(one == other) for one, other in zip(cells, self._cells, strict=True)])
        drops = [before - after for before, after in zip(self.float_scores, self._score(labels), strict=True)]
        return Damage(1 - float(equal), *drops)

    def _run(self, model: onnx.ModelProto) -> tuple[list[NDArray[Any]], list[NDArray[np.int32]]]:
        """Best cell of every working pixel, and labels, of every image."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(model, path)
            watched = _Watched(OnnxRuntimeBackend(path))
        labels, cells = [], []
        for image in self._images:
            labels.append(run_pipeline(watched, image.pixels[None], plan_of(image.pixels))[0])
            cells.append(watched.cells)
        return cells, labels


class _Watched:
    """A backend that remembers the best cell of every pixel of its last result."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.info, self.name, self.close = backend.info, backend.name, backend.close
        self.cells: NDArray[Any] = np.empty(0)

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        output = self._backend.run(image)
        self.cells = output if output.ndim == 3 else output.argmax(1).astype(np.int8)
        return output


def keep_boundaries(
    calibration: Calibration,
    images: Sequence[CalibrationImage],
    score: Score,
    max_asa_drop: float = 0.001,
    every_layer: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Result:
    """Leave as many layers in float as it takes to stay within `max_asa_drop`, `MAX_BR_DROP` and `MIN_AGREEMENT`.

    Starts with all layers in INT8. Where that loses too much, each layer's damage alone decides the order in which layers are left in
    float, the one that moves most pixels first. `every_layer`: measure each layer's damage even where it is not needed.

    Raises:
        UsageError: `max_asa_drop` is not in [0, 1].
        ModelError: not even with half of the layers in float; the message says the best that was found.
    """
    if not 0 <= max_asa_drop <= 1:
        raise UsageError(f"the largest ASA drop must be from 0 to 1, not {max_asa_drop}")
    names = list(calibration.layers)
    most = int(len(names) * MAX_FLOAT)
    total = 1 + len(names) + most
    progress("the float model", 0, total)
    compare = Comparison(calibration, images, score)
    progress("all layers in INT8", 0, total)
    all_int8 = damage = compare(calibration.model())
    alone: dict[str, Damage] = {}
    if every_layer or not damage.within(max_asa_drop):
        for number, name in enumerate(names, 1):
            progress(f"{name} alone", number, total)
            alone[name] = compare(calibration.model([other for other in names if other != name]))
    order = sorted(alone, key=lambda name: -alone[name].disagreement)
    tried = [(damage, 0)]
    while not damage.within(max_asa_drop):
        count = len(tried)
        if count > most:
            best, left = min(tried, key=lambda one: (one[0].asa_drop, one[0].disagreement))
            layers = ", ".join(order[:left]) or "no layer"
            raise ModelError(
                f"INT8 cannot stay within an ASA drop of {max_asa_drop:g}, a BR drop of {MAX_BR_DROP:g} and {MIN_AGREEMENT:.0%} equal best "
                f"cells: the best found is {best} with {layers} in float; allow a larger --max-asa-drop, or train the network longer"
            )
        progress(f"{', '.join(order[:count])} in float", len(names) + count, total)
        damage = compare(calibration.model(order[:count]))
        tried.append((damage, count))
    float_layers = order[: len(tried) - 1]
    progress("done", total, total)
    return Result(all_int8, damage, tuple(name for name in names if name in float_layers), alone)
