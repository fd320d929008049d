"""How far exported models are from PyTorch in float32, engine by engine, and whether that is within the bounds.

    candidates = [Candidate("model.onnx", open_backend(Path("model.onnx"), "openvino"))]
    rows = measure(reference, candidates, images, BSDS500(root, "val"))
    rows[0].failures    # what is out of its bound: () or, say, ("argmax", "br")

Networks are compared on the working images that the runtime makes, superpixels by the metrics of superpixel-benchmark.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.errors import AINetError, ModelError
from ainet.metrics.label_map import LabelMap
from ainet.metrics.measures import achievable_segmentation_accuracy, boundary_precision, boundary_recall, compactness
from ainet.runtime.backends import Backend
from ainet.runtime.pipeline import infer, resize, run_pipeline
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import assign
from ainet.training.datasets import Sample

METRICS = ("asa", "br", "bp", "co")


@dataclass(frozen=True)
class Bounds:
    """How far an export may be from PyTorch in float32.

    argmax: smallest share of pixels whose best cell is the same. q: largest difference of a probability, None for any.
    asa, br, bp, co: largest differences of the means, up or down.
    """

    argmax: float
    q: float | None
    asa: float
    br: float
    bp: float
    co: float


# Q is bounded at its worst pixel, which says little of the others; in int8 it is free, and the superpixels decide.
BOUNDS = {
    "fp32": Bounds(argmax=0.9999, q=0.001, asa=0.0001, br=0.0001, bp=0.0001, co=0.0001),
    "fp16": Bounds(argmax=0.999, q=0.25, asa=0.0005, br=0.0005, bp=0.0005, co=0.0005),
    "int8": Bounds(argmax=0.98, q=None, asa=0.001, br=0.005, bp=0.005, co=0.01),
}


@dataclass(frozen=True)
class Candidate:
    """An exported model, open on a device. `model`: its name in the results.

    Raises:
        ModelError: there are no bounds for its precision.
    """

    model: str
    backend: Backend

    def __post_init__(self) -> None:
        precision = self.backend.info.precision
        if precision not in BOUNDS:
            raise ModelError(f"{self.model} is of precision '{precision}', for which there are no bounds; known are {', '.join(BOUNDS)}")


@dataclass(frozen=True)
class Row:
    """What one model on one device differs by.

    argmax: share of pixels whose best cell is PyTorch's. q: largest difference of a probability, in [0, 1]; None for a
    model that gives labels. nan: number of values that are NaN or infinite. differences: of `METRICS`, model minus
    PyTorch; empty where none were measured.
    """

    model: str
    precision: str
    output: str
    device: str
    argmax: float
    q: float | None
    nan: int
    differences: dict[str, float]

    @property
    def bounds(self) -> Bounds:
        return BOUNDS[self.precision]

    @property
    def failures(self) -> tuple[str, ...]:
        """Which figures are out of their bounds; none if the model passes."""
        bounds = self.bounds
        bad = [] if self.argmax >= bounds.argmax else ["argmax"]
        bad += ["q"] if self.q is not None and bounds.q is not None and self.q > bounds.q else []
        bad += ["nan"] if self.nan else []
        return (*bad, *(name for name, difference in self.differences.items() if not abs(difference) <= getattr(bounds, name)))


def measure(
    reference: Backend,
    candidates: Sequence[Candidate],
    images: Iterable[tuple[Path, NDArray[np.uint8]]],
    samples: Sequence[Sample] = (),
    n_segments: int = 600,
) -> list[Row]:
    """Compare every candidate with `reference`, which gives logits.

    Args:
        images: name and RGB (H, W, 3) of at least one image, to compare the networks' outputs on.
        samples: with ground truths, to compare the superpixels on.

    Raises:
        UsageError: an image has too few pixels for `n_segments`.
        ImageError: an image is too small, or a sample is damaged.
        DeviceError: an engine fails.
    """
    backends = [candidate.backend for candidate in candidates]
    agreements = compare(reference, backends, images, n_segments)
    expected, *found = mean_metrics([reference, *backends], samples, n_segments) if samples else [{}] * (len(backends) + 1)
    return [
        Row(
            candidate.model,
            candidate.backend.info.precision,
            candidate.backend.info.output,
            candidate.backend.name,
            agreement.equal / agreement.pixels,
            None if candidate.backend.info.output == "labels" else agreement.q,
            agreement.nan,
            {name: value - expected[name] for name, value in metrics.items()},
        )
        for candidate, agreement, metrics in zip(candidates, agreements, found, strict=True)
    ]


@dataclass
class Agreement:
    """Running figures of one network against another: pixels seen, pixels with the same best cell, and as of `Row`."""

    pixels: int = 0
    equal: int = 0
    q: float = 0.0
    nan: int = 0

    def add(self, expected: NDArray[np.float32], found: NDArray[Any], output: str) -> None:
        """Add an image: logits (1, 9, h, w), and a model's `output`, which is of that shape or cell ids (1, h, w)."""
        height, width = expected.shape[2:]
        self.pixels += height * width
        if output == "labels":
            self.equal += int(np.count_nonzero(found == assign(expected, height, width)))
            return
        finite = np.isfinite(found).all(1, keepdims=True)  # (1, 1, h, w)
        self.nan += int(np.count_nonzero(~np.isfinite(found)))
        self.equal += int(np.count_nonzero((found.argmax(1, keepdims=True) == expected.argmax(1, keepdims=True)) & finite))
        with np.errstate(invalid="ignore"):
            errors = np.abs((found if output == "association" else _softmax(found)) - _softmax(expected))
        self.q = max(self.q, float(errors.max(initial=0.0, where=finite)))


def compare(
    reference: Backend, backends: Sequence[Backend], images: Iterable[tuple[Path, NDArray[np.uint8]]], n_segments: int
) -> list[Agreement]:
    """How far each backend's output is from the logits of `reference`; errors as of `measure`."""
    agreements = [Agreement() for _ in backends]
    for name, image in images:
        try:
            height, width = image.shape[:2]
            working = resize(image, plan_segments(height, width, n_segments))[None]
            expected = infer(reference, working)
            for agreement, backend in zip(agreements, backends, strict=True):
                agreement.add(expected, infer(backend, working), backend.info.output)
        except AINetError as error:
            raise type(error)(f"{name}: {error}") from error
    return agreements


def mean_metrics(backends: Sequence[Backend], samples: Sequence[Sample], n_segments: int) -> list[dict[str, float]]:
    """ASA, BR, BP and CO of each backend's superpixels, as means over all (image, ground truth) pairs."""
    rows = []  # (pairs, backends, METRICS)
    for sample in samples:
        image = sample.image()
        height, width = image.shape[:2]
        plan = plan_segments(height, width, n_segments)
        maps = [LabelMap(run_pipeline(backend, image[None], plan)[0]) for backend in backends]
        for truth in map(LabelMap, sample.segmentations()):
            rows.append(
                [
                    (
                        achievable_segmentation_accuracy(labels, truth),
                        boundary_recall(labels, truth),
                        boundary_precision(labels, truth),
                        compactness(labels),
                    )
                    for labels in maps
                ]
            )
    return [dict(zip(METRICS, means, strict=True)) for means in np.mean(rows, axis=0).tolist()]


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 9, h, w) -> probabilities over the nine cells."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
