"""How far a reduced or exported model is from PyTorch in float32, and how far it may be: in Q, in cells, in metrics.

    (agreement,) = compare(reference, [open_backend(Path("model.onnx"), "openvino")], images, n_segments=600)
    agreement.failures(BOUNDS["fp32"])    # what is out of its bound: () or, say, ("argmax", "q")

Networks are compared on the working images that the runtime makes, superpixels by the metrics of superpixel-benchmark.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ainet.errors import AINetError
from ainet.metrics import LabelMap, achievable_segmentation_accuracy, boundary_precision, boundary_recall, compactness
from ainet.runtime.backends.base import Backend, check_output_shape
from ainet.runtime.pipeline import infer, network_input, run_pipeline
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import assign
from ainet.runtime.quarters import as_planes

if TYPE_CHECKING:
    from ainet.training.datasets import Sample

METRICS = ("asa", "br", "bp", "co")  # in results and bounds by what they are called, not by their keys in `ainet.metrics`


@dataclass(frozen=True)
class Bounds:
    """How far a model may be from PyTorch in float32.

    argmax: smallest share of pixels whose best cell is the same. q: largest difference of a probability, None for any.
    asa, br, bp, co: largest differences of the means, up or down.
    """

    argmax: float
    q: float | None
    asa: float
    br: float
    bp: float
    co: float


# Q is bounded at its worst pixel, which says little of the others; in int8 it is free, and the superpixels decide: cells that lie between
# two superpixels of one object may go to either.
BOUNDS = {
    "fp32": Bounds(argmax=0.9999, q=0.001, asa=0.0001, br=0.0001, bp=0.0001, co=0.0001),
    "fp16": Bounds(argmax=0.999, q=0.25, asa=0.0005, br=0.0005, bp=0.0005, co=0.0005),
    "int8": Bounds(argmax=0.95, q=None, asa=0.0005, br=0.002, bp=0.002, co=0.01),
}


@dataclass
class Agreement:
    """What one model differs from another by, over the images that were added.

    pixels: how many were compared. equal: those whose best cell is the same. q: largest difference of a probability, in
    [0, 1]; None for a model that gives labels. nan: number of values that are NaN or infinite. differences: of the means of
    `METRICS`, model minus reference; empty where none were computed.
    """

    pixels: int = 0
    equal: int = 0
    q: float | None = None
    nan: int = 0
    differences: dict[str, float] = field(default_factory=dict)

    @property
    def argmax(self) -> float:
        """Share of pixels whose best cell is the same."""
        return self.equal / self.pixels

    def add(self, expected: NDArray[Any], found: NDArray[Any], output: str, margin: float = 0) -> None:
        """Add some images.

        Args:
            expected: logits (N, 9, h, w) of the reference; cell ids (N, h, w) will do for a model that gives labels.
            found: the model's `output`, of the shape of the logits or of the cell ids.
            margin: pixels whose two best probabilities are no farther apart count as equal: either cell is right there.
        """
        height, width = expected.shape[-2:]
        if output == "labels":
            equal = found == (expected if expected.ndim == 3 else assign(expected, height, width))  # (N, h, w)
        else:
            finite = np.isfinite(found).all(1)  # (N, h, w)
            equal = (found.argmax(1) == expected.argmax(1)) & finite
            self.nan += int(np.count_nonzero(~np.isfinite(found)))
            with np.errstate(invalid="ignore"):
                errors = np.abs((found if output == "association" else _softmax(found)) - _softmax(expected)).max(1)
            self.q = max(self.q or 0.0, float(errors.max(initial=0.0, where=finite)))
        if margin:
            second, best = np.partition(_softmax(expected), (-2, -1), axis=1)[:, -2:].swapaxes(0, 1)
            equal |= best - second <= margin
        self.pixels += equal.size
        self.equal += int(np.count_nonzero(equal))

    def failures(self, bounds: Bounds) -> tuple[str, ...]:
        """Which figures are out of their bounds; none if the model passes."""
        bad = [] if self.argmax >= bounds.argmax else ["argmax"]
        if self.q is not None and bounds.q is not None and self.q > bounds.q:
            bad.append("q")
        if self.nan:
            bad.append("nan")
        bad += [name for name, difference in self.differences.items() if not abs(difference) <= getattr(bounds, name)]
        return tuple(bad)

    def __str__(self) -> str:
        parts = [f"best cell equal {self.argmax:.3%}"]
        if self.q is not None:
            parts.append(f"largest difference of Q {self.q:.2g}")
        if self.nan:
            parts.append(f"{self.nan} values NaN or infinite")
        return ", ".join(parts + [f"{name.upper()} {difference:+.5f}" for name, difference in self.differences.items()])


def compare(
    reference: Backend, backends: Sequence[Backend], images: Iterable[tuple[Path, NDArray[np.uint8]]], n_segments: int
) -> list[Agreement]:
    """How far each backend's output is from the logits of `reference`, on named RGB images (H, W, 3).

    Raises:
        UsageError: an image has too few pixels for `n_segments`.
        ImageError: an image is too small.
        DeviceError: an engine fails.
    """
    agreements = [Agreement() for _ in backends]
    for name, image in images:
        try:
            height, width = image.shape[:2]
            plan = plan_segments(height, width, n_segments)
            expected = as_planes(infer(reference, network_input(image[None], plan, reference.info)))
            for agreement, backend in zip(agreements, backends, strict=True):
                own_input = network_input(image[None], plan, backend.info)
                output = backend.run(own_input)
                check_output_shape(output, own_input, backend)  # NaN is no error here, but counted
                agreement.add(expected, as_planes(output), backend.info.output)
        except AINetError as error:
            raise type(error)(f"{name}: {error}") from error
    return agreements


def mean_metrics(backends: Sequence[Backend], samples: "Sequence[Sample]", n_segments: int) -> list[dict[str, float]]:
    """ASA, BR, BP and CO of each backend's superpixels, as means over all (image, ground truth) pairs; errors as of `compare`."""
    rows: list[list[tuple[float, ...]]] = [[] for _ in backends]  # of each backend, one a pair
    for sample in samples:
        image = sample.image()
        truths = [LabelMap(truth) for truth in sample.segmentations()]
        height, width = image.shape[:2]
        plan = plan_segments(height, width, n_segments)
        for backend, of_backend in zip(backends, rows, strict=True):
            labels = LabelMap(run_pipeline(backend, image[None], plan)[0])
            of_backend += [metrics(labels, truth) for truth in truths]
    return [means(of_backend) for of_backend in rows]


def metrics(labels: LabelMap, truth: LabelMap) -> tuple[float, ...]:
    """`METRICS` of superpixels against one ground truth."""
    return (
        achievable_segmentation_accuracy(labels, truth),
        boundary_recall(labels, truth),
        boundary_precision(labels, truth),
        compactness(labels),
    )


def means(rows: Sequence[tuple[float, ...]]) -> dict[str, float]:
    """The means of `metrics` over (image, ground truth) pairs, by name."""
    return dict(zip(METRICS, np.mean(rows, axis=0).tolist(), strict=True))


def _softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """(N, 9, h, w) -> probabilities over the nine cells."""
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
