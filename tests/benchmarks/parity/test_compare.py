"""Parity: every figure on outputs whose differences are known, and the bounds at their edges."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

pytest.importorskip("torch")

from ainet.benchmarks.parity.compare import BOUNDS, Candidate, Row, mean_metrics, measure
from ainet.errors import DeviceError, ImageError, ModelError, UsageError
from ainet.export.graph import cell_ids
from ainet.metrics.summary import evaluate_image, summarise
from ainet.runtime.model import ModelInfo
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import plan_segments
from ainet.spec import MEAN

HEIGHT, WIDTH = 48, 64  # 12 cells of 16 x 16 without any resizing
RANDOM = np.random.default_rng(5)
LOGITS = RANDOM.normal(0, 2, (1, 9, HEIGHT, WIDTH)).astype(np.float32)
IMAGE = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


class Fixed:
    """A backend with one answer for every image."""

    def __init__(self, answer: NDArray[Any], output: str = "logits", precision: str = "fp32") -> None:
        self.info = ModelInfo("ainet", output, precision, MEAN, "", {}, "0")
        self.name = "fixed"
        self.answer = answer
        self.inputs: list[NDArray[Any]] = []

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        self.inputs.append(image)
        return self.answer

    def close(self) -> None: ...


def compared(answer: NDArray[Any], output: str = "logits") -> Row:
    (row,) = measure(Fixed(LOGITS), [Candidate("model", Fixed(answer, output))], [(Path("image"), IMAGE)] * 2, n_segments=12)
    assert (row.model, row.precision, row.output, row.device, row.differences) == ("model", "fp32", output, "fixed", {})
    return row


def ids(logits: NDArray[np.float32]) -> NDArray[np.int32]:
    import torch

    return cell_ids(torch.from_numpy(logits)).numpy()


def test_equal_outputs() -> None:
    for answer, output in ((LOGITS, "logits"), (LOGITS + 3, "logits"), (ids(LOGITS), "labels")):
        row = compared(answer, output)
        assert (row.argmax, row.nan, row.failures) == (1.0, 0, ())
        assert (row.q is None) == (output == "labels")
    assert compared(softmax(LOGITS, 1).astype(np.float32), "association").q == pytest.approx(0, abs=1e-6)


def test_differences_of_the_network() -> None:
    other = LOGITS.copy()
    other[0, 4, 16:32, :40] += 20  # the pixel's own cell wins in 16 x 40 pixels, where it did in some already
    changed = np.count_nonzero(LOGITS[0, :, 16:32, :40].argmax(0) != 4)
    assert 400 < changed < 640
    q = np.abs(softmax(other.astype(np.float64), 1) - softmax(LOGITS.astype(np.float64), 1)).max()
    for answer, output in ((other, "logits"), (softmax(other, 1), "association")):
        row = compared(answer, output)
        assert row.argmax == 1 - changed / (HEIGHT * WIDTH)
        assert row.q == pytest.approx(q, abs=1e-6)
        assert row.failures == ("argmax", "q")
    row = compared(ids(other), "labels")
    assert row.argmax == 1 - np.count_nonzero(ids(other) != ids(LOGITS)) / (HEIGHT * WIDTH)
    assert row.failures == ("argmax",)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(value: float) -> None:
    other = LOGITS.copy()
    other[0, LOGITS[0, :, 7, 9].argmax(), 7, 9] = value  # even where such a value wins, the pixel does not count as equal
    other[0, 2, 40, 50] = value
    row = compared(other)
    assert row.nan == 4  # two in each of two images
    assert row.argmax == 1 - 2 / (HEIGHT * WIDTH)
    assert row.q == 0
    assert row.failures == ("argmax", "nan")
    row = compared(np.full_like(LOGITS, value))
    assert (row.argmax, row.q, row.nan) == (0, 0, 2 * LOGITS.size)


def test_each_model_gets_the_input_that_it_takes() -> None:
    reference, labels = Fixed(LOGITS), Fixed(ids(LOGITS), "labels")
    measure(reference, [Candidate("model", labels)], [(Path("image"), IMAGE)], n_segments=12)
    np.testing.assert_array_equal(labels.inputs[0], IMAGE[None])
    expected = (IMAGE.astype(np.float64) / 255 - MEAN).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(reference.inputs[0], expected, atol=1e-6)


def test_differences_of_the_superpixels() -> None:
    """Against the summary that `ainet eval` prints, on images with two and with three ground truths."""
    truths = [RANDOM.integers(1, 5, (3, 4)).repeat(16, 0).repeat(16, 1).astype(np.uint16) for _ in range(5)]
    samples = [SimpleNamespace(image=lambda: IMAGE, segmentations=lambda part=part: truths[part]) for part in (slice(0, 2), slice(2, 5))]
    plan = plan_segments(HEIGHT, WIDTH, 12)
    means = []
    for logits in (LOGITS, LOGITS[:, :, ::-1]):
        labels = run_pipeline(Fixed(logits), IMAGE[None], plan)[0]
        rows = [row for n, part in enumerate((truths[:2], truths[2:])) for row in evaluate_image(str(n), labels, part)]
        summary = summarise(rows).means["row_mean"]["all_gts"]
        means.append({name: summary[key] for name, key in {"asa": "asa", "br": "rec", "bp": "pre", "co": "co"}.items()})
    backends = [Fixed(LOGITS), Fixed(np.ascontiguousarray(LOGITS[:, :, ::-1]))]
    found = mean_metrics(backends, samples, 12)  # type: ignore[arg-type]
    for expected, metrics in zip(means, found, strict=True):
        assert metrics == pytest.approx(expected, abs=1e-9)
    (row,) = measure(backends[0], [Candidate("model", backends[1])], [(Path("image"), IMAGE)], samples, 12)  # type: ignore[arg-type]
    assert row.differences == pytest.approx({name: means[1][name] - means[0][name] for name in means[0]}, abs=1e-9)
    assert any(abs(value) > 1e-3 for value in row.differences.values())


@pytest.mark.parametrize("precision", BOUNDS)
def test_bounds(precision: str) -> None:
    bounds = BOUNDS[precision]
    metrics = {name: getattr(bounds, name) for name in ("asa", "br", "bp", "co")}
    row = Row("model", precision, "logits", "device", bounds.argmax, bounds.q or 1.0, 0, metrics)
    assert row.failures == ()
    assert replace(row, differences={name: -value for name, value in metrics.items()}).failures == ()
    for name, value in metrics.items():
        for sign in (1, -1):
            assert replace(row, differences={**metrics, name: sign * value * 1.01}).failures == (name,)
    assert replace(row, argmax=bounds.argmax - 1e-6).failures == ("argmax",)
    assert replace(row, q=1.01 * (bounds.q or 1.0)).failures == (("q",) if bounds.q else ())
    assert replace(row, nan=1, q=None, differences={}).failures == ("nan",)


def test_errors() -> None:
    with pytest.raises(ModelError, match=r"x\.onnx is of precision 'fp4', for which there are no bounds; known are fp32, fp16, int8"):
        Candidate("x.onnx", Fixed(LOGITS, precision="fp4"))
    for image, error in ((IMAGE[:20, :20], UsageError), (IMAGE[:10], ImageError)):
        with pytest.raises(error, match=r"^small.png: "):
            measure(Fixed(LOGITS), [], [(Path("small.png"), image)])

    class Failing(Fixed):
        def run(self, image: NDArray[Any]) -> NDArray[Any]:
            raise DeviceError("out of memory")

    with pytest.raises(DeviceError, match=r"^image\.png: out of memory"):
        measure(Fixed(LOGITS), [Candidate("x", Failing(LOGITS))], [(Path("image.png"), IMAGE)], n_segments=12)
