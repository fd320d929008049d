"""The comparison of a model with PyTorch: every figure on outputs whose differences are known, and the bounds at their edges."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from support.fixed_backend import FixedBackend

from ainet.errors import DeviceError, ImageError, UsageError
from ainet.export.agreement import BOUNDS, METRICS, Agreement, compare, mean_metrics
from ainet.metrics import evaluate_image, summarise
from ainet.runtime.pipeline import run_pipeline
from ainet.runtime.plan import plan_segments
from ainet.spec import MEAN

HEIGHT, WIDTH = 48, 64  # 12 cells of 16 x 16 without any resizing
RANDOM = np.random.default_rng(5)
LOGITS = RANDOM.normal(0, 2, (1, 9, HEIGHT, WIDTH)).astype(np.float32)
IMAGE = RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def ids(logits: NDArray[np.float32]) -> NDArray[np.int32]:
    """The cell of the largest score, in numpy alone."""
    best = logits.argmax(1)
    row = (np.arange(HEIGHT)[:, None] // 16 + best // 3 - 1).clip(0, HEIGHT // 16 - 1)
    column = (np.arange(WIDTH) // 16 + best % 3 - 1).clip(0, WIDTH // 16 - 1)
    return (row * (WIDTH // 16) + column).astype(np.int32)


def compared(answer: NDArray[Any], output: str = "logits") -> Agreement:
    """Of two images."""
    backend = FixedBackend(answer, output)
    (agreement,) = compare(FixedBackend(LOGITS), [backend], [(Path("image"), IMAGE)] * 2, 12)
    assert agreement.pixels == 2 * HEIGHT * WIDTH
    return agreement


def test_equal_outputs() -> None:
    for answer, output in ((LOGITS, "logits"), (LOGITS + 3, "logits"), (ids(LOGITS), "labels")):
        agreement = compared(answer, output)
        assert (agreement.argmax, agreement.nan, agreement.failures(BOUNDS["fp32"])) == (1.0, 0, ())
        assert (agreement.q is None) == (output == "labels")
    assert compared(softmax(LOGITS, 1).astype(np.float32), "association").q == pytest.approx(0, abs=1e-6)
    agreement = Agreement()
    agreement.add(ids(LOGITS), ids(LOGITS), "labels")
    assert (agreement.equal, agreement.pixels) == (HEIGHT * WIDTH, HEIGHT * WIDTH)


def test_differences_of_the_network() -> None:
    other = LOGITS.copy()
    other[0, 4, 16:32, :40] += 20  # the pixel's own cell wins in 16 x 40 pixels, where it did in some already
    changed = np.count_nonzero(LOGITS[0, :, 16:32, :40].argmax(0) != 4)
    assert 400 < changed < 640
    q = np.abs(softmax(other.astype(np.float64), 1) - softmax(LOGITS.astype(np.float64), 1)).max()
    for answer, output in ((other, "logits"), (softmax(other, 1), "association")):
        agreement = compared(answer, output)
        assert agreement.argmax == 1 - changed / (HEIGHT * WIDTH)
        assert agreement.q == pytest.approx(q, abs=1e-6)
        assert agreement.failures(BOUNDS["fp32"]) == ("argmax", "q")
    agreement = compared(ids(other), "labels")
    assert agreement.argmax == 1 - np.count_nonzero(ids(other) != ids(LOGITS)) / (HEIGHT * WIDTH)
    assert agreement.failures(BOUNDS["fp32"]) == ("argmax",)


def test_pixels_that_are_all_but_equal_do_not_count() -> None:
    logits = np.zeros((1, 9, 16, 16), np.float32)
    logits[0, 4] = 5
    logits[0, 5, :, :8] = 4.9
    q = softmax(logits.astype(np.float64), 1)
    gap = float(q[0, 4, 0, 0] - q[0, 5, 0, 0])
    other = logits[:, [0, 1, 2, 3, 5, 4, 6, 7, 8]]
    for margin, equal in ((0.99 * gap, 0), (1.01 * gap, 8 * 16)):
        agreement = Agreement()
        agreement.add(logits, other, "logits", margin)
        assert (agreement.equal, agreement.pixels) == (equal, 16 * 16)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(value: float) -> None:
    other = LOGITS.copy()
    other[0, LOGITS[0, :, 7, 9].argmax(), 7, 9] = value  # even where such a value wins, the pixel does not count as equal
    other[0, 2, 40, 50] = value
    agreement = compared(other)
    assert agreement.nan == 4  # two in each of two images
    assert agreement.argmax == 1 - 2 / (HEIGHT * WIDTH)
    assert agreement.q == 0
    assert agreement.failures(BOUNDS["fp32"]) == ("argmax", "nan")
    agreement = compared(np.full_like(LOGITS, value))
    assert (agreement.argmax, agreement.q, agreement.nan) == (0, 0, 2 * LOGITS.size)


def test_each_model_gets_the_input_that_it_takes() -> None:
    reference, labels = FixedBackend(LOGITS), FixedBackend(ids(LOGITS), "labels")
    compare(reference, [labels], [(Path("image"), IMAGE)], 12)
    np.testing.assert_array_equal(labels.inputs[0], IMAGE[None])
    expected = (IMAGE.astype(np.float64) / 255 - MEAN).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(reference.inputs[0], expected, atol=1e-6)


def test_metrics_of_the_superpixels() -> None:
    """Against the summary that `ainet eval` prints, on images with two and with three ground truths."""
    truths = [RANDOM.integers(1, 5, (3, 4)).repeat(16, 0).repeat(16, 1).astype(np.uint16) for _ in range(5)]
    samples: Any = [
        SimpleNamespace(image=lambda: IMAGE, segmentations=lambda part=part: truths[part]) for part in (slice(0, 2), slice(2, 5))
    ]
    plan = plan_segments(HEIGHT, WIDTH, 12)
    backends = [FixedBackend(LOGITS), FixedBackend(np.ascontiguousarray(LOGITS[:, :, ::-1]))]
    found = mean_metrics(backends, samples, 12)
    for backend, metrics in zip(backends, found, strict=True):
        labels = run_pipeline(backend, IMAGE[None], plan)[0]
        rows = [row for n, part in enumerate((truths[:2], truths[2:])) for row in evaluate_image(str(n), labels, part)]
        summary = summarise(rows).means["row_mean"]["all_gts"]
        expected = {name: summary[key] for name, key in {"asa": "asa", "br": "rec", "bp": "pre", "co": "co"}.items()}
        assert metrics == pytest.approx(expected, abs=1e-9)
    assert any(abs(found[0][name] - found[1][name]) > 1e-3 for name in METRICS)


@pytest.mark.parametrize("precision", BOUNDS)
def test_bounds(precision: str) -> None:
    bounds = BOUNDS[precision]
    metrics = {name: getattr(bounds, name) for name in METRICS}
    equal = round(bounds.argmax * 10**6)
    good = Agreement(10**6, equal, bounds.q or 1.0, 0, metrics)
    assert good.failures(bounds) == ()
    assert replace(good, differences={name: -value for name, value in metrics.items()}).failures(bounds) == ()
    for name, value in metrics.items():
        for sign in (1, -1):
            assert replace(good, differences={**metrics, name: sign * value * 1.01}).failures(bounds) == (name,)
    assert replace(good, equal=equal - 1).failures(bounds) == ("argmax",)
    assert replace(good, q=1.01 * (bounds.q or 1.0)).failures(bounds) == (("q",) if bounds.q else ())
    assert replace(good, nan=1, q=None, differences={}).failures(bounds) == ("nan",)


def test_errors_name_the_image() -> None:
    for image, error in ((IMAGE[:20, :20], UsageError), (IMAGE[:10], ImageError)):
        with pytest.raises(error, match=r"^small.png: "):
            compare(FixedBackend(LOGITS), [], [(Path("small.png"), image)], 600)

    class Failing(FixedBackend):
        def run(self, image: NDArray[Any]) -> NDArray[Any]:
            raise DeviceError("out of memory")

    with pytest.raises(DeviceError, match=r"^image\.png: "):
        compare(FixedBackend(LOGITS), [Failing(LOGITS)], [(Path("image.png"), IMAGE)], 12)
