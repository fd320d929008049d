"""How far floating-point results may lie apart: the one table of all tests, by precision and device.

    within = tolerance("float16", "engine")
    assert_logits_close(found, expected, within)
    assert_labels_close(found, expected, within)

What is compared is the bundled AINet or SCN on photos, with the same network in float32 on a CPU. "cpu" is ONNX Runtime, OpenVINO or
PyTorch, "cuda" ONNX Runtime or PyTorch on an NVIDIA GPU, "engine" TensorRT. Measured: on the photos of `examples/`, 150 superpixels, with
PyTorch 2, ONNX Runtime and OpenVINO on a CPU; each bound leaves at least a factor of two.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Tolerance:
    """logits: largest difference of a logit; they lie within +-45. probability: largest difference of Q. cells: smallest share of pixels
    with the same best cell. edges: smallest share of neighbouring pixels that both label maps join, or both part; it is lower than it
    seems from the cells, as connectivity may join a small component to another neighbour for one pixel. None: no bound.
    """

    logits: float | None
    probability: float | None
    cells: float
    edges: float
    reason: str


_FLOAT16 = Tolerance(0.7, 0.25, 0.999, 0.99, "11 bits of a logit near 40 are 0.03, added up over 20 layers; measured 0.35, 0.07 and 0.9992")
_BFLOAT16 = Tolerance(3.0, 0.55, 0.99, 0.98, "8 bits: eight times float16's rounding; measured 1.4, 0.26 and 0.9954")
_INT8 = Tolerance(None, None, 0.98, 0.95, "one pixel's Q may move freely where boundaries stay: the bound of `ainet verify`")

TOLERANCES = {
    ("float32", "cpu"): Tolerance(1e-3, 1e-3, 0.9999, 0.998, "sums in another order, with or without FMA; measured 2e-4, 3e-5 and 1"),
    ("float32", "cuda"): Tolerance(1e-2, 1e-2, 0.999, 0.998, "TF32 is off; cuDNN's algorithms differ from run to run"),
    ("float32", "engine"): Tolerance(1e-2, 1e-2, 0.999, 0.998, "TF32 is off; TensorRT picks algorithms by their time on the GPU"),
    ("float16", "cpu"): _FLOAT16,
    ("float16", "cuda"): _FLOAT16,
    ("float16", "engine"): _FLOAT16,
    ("bfloat16", "cpu"): _BFLOAT16,  # OpenVINO's own default, and what it runs beside INT8
    ("bfloat16", "cuda"): _BFLOAT16,
    ("bfloat16", "engine"): _BFLOAT16,
    ("int8", "cpu"): _INT8,
    ("int8", "cuda"): _INT8,
    ("int8", "engine"): _INT8,
}  # fmt: skip


def tolerance(precision: str, device: str) -> Tolerance:
    """`precision`: float32, float16, bfloat16 or int8; `device`: cpu, cuda or engine."""
    return TOLERANCES[precision, device]


def assert_logits_close(found: NDArray[np.floating], expected: NDArray[np.floating], within: Tolerance) -> None:
    """Logits (N, 9, h, w): their values, Q, and the best cells."""
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    if within.logits is not None:
        np.testing.assert_allclose(found, expected, rtol=0, atol=within.logits)
    if within.probability is not None:
        np.testing.assert_allclose(_softmax(found), _softmax(expected), rtol=0, atol=within.probability)
    assert (found.argmax(1) == expected.argmax(1)).mean() >= within.cells


def assert_labels_close(found: NDArray[np.integer], expected: NDArray[np.integer], within: Tolerance) -> None:
    """Label maps (H, W), whatever their numbering: the edges between pixels side by side and one above the other."""
    assert found.shape == expected.shape
    for axis in (0, 1):
        edges = [np.diff(labels, axis=axis) != 0 for labels in (found, expected)]
        assert (edges[0] == edges[1]).mean() >= within.edges


def _softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
