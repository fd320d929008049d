"""What INT8 costs: each layer alone, and which layers to leave in float to keep the boundaries.

found = keep_boundaries(calibration, *scored_images_of_bsds(root), max_asa_drop=0.001)
model = calibration.model(found.layers)
"""

import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ainet.calibration.images import CalibrationImage, plan_of
from ainet.calibration.quantise import Calibration
from ainet.calibration.score import Score
from ainet.errors import ModelError, UsageError
from ainet.export.agreement import BOUNDS, Agreement
from ainet.export.search import Found, Progress, keep_in_float
from ainet.runtime.backends.onnx_runtime import OnnxRuntimeBackend
from ainet.runtime.pipeline import run_pipeline


class Comparison:
    """Compares models with the float model of `calibration` on `images`, through ONNX Runtime and the runtime's pipeline."""

    def __init__(self, calibration: Calibration, images: Sequence[CalibrationImage], score: Score) -> None:
        self._output = calibration.info.output
        self._images, self._score = images, score
        self._outputs, labels = self._run(calibration.float_model)
        self._scores = score(labels)

    def __call__(self, model: onnx.ModelProto) -> Agreement:
        outputs, labels = self._run(model)
        agreement = Agreement()
        for expected, found in zip(self._outputs, outputs, strict=True):
            agreement.add(expected, found, self._output)
        scores = self._score(labels)
        agreement.differences = {name: scores[name] - before for name, before in self._scores.items()}
        return agreement

    def _run(self, model: onnx.ModelProto) -> tuple[list[NDArray[Any]], list[NDArray[np.int32]]]:
        """Output of the network, and labels, of every image."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(model, path)
            backend = _Recorder(path)
        labels = [run_pipeline(backend, image.pixels[None], plan_of(image.pixels))[0] for image in self._images]
        return backend.outputs, labels


class _Recorder(OnnxRuntimeBackend):
    """A backend that keeps all that it has given, so that one run of the network serves both comparisons."""

    def __init__(self, model: Path) -> None:
        super().__init__(model)
        self.outputs: list[NDArray[Any]] = []

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        output = super().run(image)
        self.outputs.append(output)
        return output


def keep_boundaries(
    calibration: Calibration,
    images: Sequence[CalibrationImage],
    score: Score,
    max_asa_drop: float = BOUNDS["int8"].asa,
    every_layer: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Found:
    """Leave as many layers in float as it takes to stay within the bounds of int8, with `max_asa_drop` for that of ASA.

    Those first that move most pixels for the time that they cost in float, as the multiply-adds give it: a time from a clock would give
    another file on each machine.

    `every_layer`: try each layer alone even where that is not needed.

    Raises:
        UsageError: `max_asa_drop` is not in [0, 1].
        ModelError: not even with half of the layers in float; the message says the best that was found.
    """
    if not 0 <= max_asa_drop <= 1:
        raise UsageError(f"the largest ASA drop must be from 0 to 1, not {max_asa_drop}")
    bounds = replace(BOUNDS["int8"], asa=max_asa_drop)
    names = list(calibration.layers)
    compare = Comparison(calibration, images, score)

    def agreement_with(float_layers: Collection[str]) -> Agreement:
        return compare(calibration.model(float_layers))

    try:
        return keep_in_float(names, agreement_with, bounds, every_layer, progress, calibration.cost)
    except ModelError as error:
        raise ModelError(f"INT8 will not do: {error}; allow a larger --max-asa-drop, or train the network longer") from error


def report(found: Found) -> dict[str, Any]:
    """What a search has found, as JSON values; drops are negative where a model gains."""
    return {
        "all_int8": _drops(found.reduced),
        "damage": _drops(found.agreement),
        "float_layers": found.layers,
        "alone": {name: _drops(agreement) for name, agreement in found.alone.items()},
    }


def _drops(agreement: Agreement) -> dict[str, float]:
    return {
        "disagreement": 1 - agreement.argmax,
        "asa_drop": -agreement.differences["asa"],
        "br_drop": -agreement.differences["br"],
    }
