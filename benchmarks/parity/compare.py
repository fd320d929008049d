"""How far exported models are from PyTorch in float32, engine by engine, and whether that is within the bounds.

candidates = [Candidate("model.onnx", open_backend(Path("model.onnx"), "openvino"))]
rows = compare_models(reference, candidates, images, bsds500(root, "val"))
rows[0].failures    # what is out of its bound: () or, say, ("argmax", "br")
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ainet.errors import ModelError
from ainet.export.agreement import BOUNDS, Bounds, compare, mean_metrics
from ainet.runtime.backends import Backend
from ainet.training.datasets import Sample


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
    """What one model on one device differs by, figures as of `Agreement`."""

    model: str
    precision: str
    output: str
    device: str
    argmax: float
    q: float | None
    nan: int
    differences: dict[str, float]
    failures: tuple[str, ...]  # figures that are out of the bounds of the precision

    @property
    def bounds(self) -> Bounds:
        return BOUNDS[self.precision]


def compare_models(
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
    means: list[dict[str, float]] = [{} for _ in (reference, *backends)]
    if samples:
        means = mean_metrics([reference, *backends], samples, n_segments)
    expected, *found = means
    rows = []
    for candidate, agreement, own in zip(candidates, agreements, found, strict=True):
        info = candidate.backend.info
        agreement.differences = {name: value - expected[name] for name, value in own.items()}
        failures = agreement.failures(BOUNDS[info.precision])
        figures = (agreement.argmax, agreement.q, agreement.nan, agreement.differences, failures)
        rows.append(Row(candidate.model, info.precision, info.output, candidate.backend.name, *figures))
    return rows
