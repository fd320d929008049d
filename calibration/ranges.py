"""Ranges of activations: what the network's tensors hold on calibration images, and where to clip them.

    limit = clip(counts, largest, "percentile")

All ranges are symmetric, [-limit, limit], as TensorRT takes no zero point; 127 steps cover [0, limit].
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

Method = Literal["minmax", "percentile", "entropy"]
METHODS: tuple[Method, ...] = get_args(Method)
PERCENTILE = 0.9999  # of absolute values that are not clipped
BINS = 4096
STEPS = 128


def observe(model: onnx.ModelProto, inputs: Iterable[NDArray[Any]], names: Sequence[str]) -> Iterator[dict[str, NDArray[np.float32]]]:
    """The tensors `names` (N, C, h, w) of the float `model`, by name, for each of the `inputs` (N, 3, H, W) or (N, H, W, 3)."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    own = {value.name for value in (*watched.graph.input, *watched.graph.output)}
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in own)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [name for name in names if name != "image"]
    for image in inputs:
        values = dict(zip(outputs, session.run(outputs, {"image": image}), strict=True))
        yield {**values, "image": image} if "image" in names else values


def channel_maxima(observed: Iterable[dict[str, NDArray[np.float32]]]) -> dict[str, NDArray[np.float32]]:
    """(C,) absolute maximum of every channel of every tensor (N, C, h, w)."""
    maxima: dict[str, NDArray[np.float32]] = {}
    for values in observed:
        for name, value in values.items():
            largest = np.maximum(value.max((0, 2, 3)), -value.min((0, 2, 3)))
            maxima[name] = np.maximum(maxima.get(name, 0), largest)
    return maxima


def histograms(observed: Iterable[dict[str, NDArray[np.float32]]], largest: dict[str, float]) -> dict[str, NDArray[np.int64]]:
    """(BINS,) counts of the absolute values of every tensor in [0, its `largest`]."""
    counts = {name: np.zeros(BINS, np.int64) for name in largest}
    for values in observed:
        for name, value in values.items():
            bins = np.minimum(np.abs(value).ravel() * np.float32(BINS / largest[name]), BINS - 1).astype(np.int32)
            counts[name] += np.bincount(bins, minlength=BINS)
    return counts


def clip(counts: NDArray[np.int64], largest: float, method: Method) -> float:
    """The limit of a tensor whose absolute values have the histogram `counts` (BINS,) over [0, largest].

    minmax: `largest`. percentile: the smallest below which `PERCENTILE` of the values lie. entropy: the one whose quantised
    distribution diverges least from the clipped one (Migacz, "8-bit Inference with TensorRT", GTC 2017).
    """
    if method == "minmax":
        return largest
    if method == "percentile":
        return float((np.searchsorted(np.cumsum(counts), PERCENTILE * counts.sum()) + 1) / BINS * largest)
    widths = range(STEPS, BINS + 1, STEPS // 4)
    divergences = [_divergence(counts.astype(np.float64), width) for width in widths]
    return widths[int(np.argmin(divergences))] / BINS * largest


def _divergence(counts: NDArray[np.float64], width: int) -> float:
    """Kullback-Leibler divergence of the first `width` bins, the rest clipped into the last, from their `STEPS` means."""
    inner = counts[:width]
    clipped = inner.copy()
    clipped[-1] += counts[width:].sum()
    step = np.arange(width) * STEPS // width
    filled = np.bincount(step, inner > 0, STEPS)
    means = np.bincount(step, inner, STEPS) / np.maximum(filled, 1)
    quantised = np.where(inner > 0, means[step], 0)
    p, q = clipped / clipped.sum(), quantised / quantised.sum()
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], 1e-9))).sum())
