"""Every public function with one or two of its arguments replaced by anything: a result, or an error of ours that says what to do."""

import datetime
import decimal
import fractions
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from support.paths import PHOTOS

import ainet
from ainet import Segmenter, metrics
from ainet.errors import AINetError, ImageError, UsageError
from ainet.skimage import slic

IMAGE = np.asarray(Image.open(PHOTOS / "chelsea.jpg").crop((100, 60, 148, 92)))  # (32, 48, 3)
LABELS = np.add.outer(np.arange(32) // 8 * 6, np.arange(48) // 8)  # 24 squares
TREE = ainet.Hierarchy.from_labels(LABELS, IMAGE)

DTYPES = [
    "bool",
    "int8",
    "uint8",
    "int64",
    "uint64",
    "float16",
    "float64",
    "complex64",
    "datetime64[s]",
    "timedelta64[s]",
    "<U3",
    "S2",
    "O",
]


def arrays_of(dtype: str) -> st.SearchStrategy[Any]:
    elements = st.none() if dtype == "O" else None
    return hnp.arrays(np.dtype(dtype), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4), elements=elements)


IMAGES = [
    IMAGE, IMAGE / 255, IMAGE / 100, IMAGE.astype(np.int64), IMAGE[..., 0], IMAGE[None], IMAGE[:16], IMAGE.tolist(), Image.fromarray(IMAGE),
    [IMAGE, IMAGE[:16]], np.asfortranarray(IMAGE), np.zeros((32, 48), [("a", "i4")]),
]  # fmt: skip
LABEL_MAPS = [
    LABELS, LABELS.astype(np.uint8), LABELS.astype(np.uint64) + 2**63, LABELS.astype(float), LABELS.tolist(), LABELS - 100, LABELS[None],
    LABELS[:16], LABELS.astype("timedelta64[s]"), LABELS.astype("datetime64[s]"), LABELS.astype(object), LABELS > 3, LABELS[::-1, ::-1],
    np.ma.MaskedArray(LABELS, LABELS == 2), LABELS.astype(">i4"),
]  # fmt: skip
NUMBERS = [
    True, 0, 1, 4, 30, -1, 10**6, 2**31, 2**63, 2**200, 10**400, 0.0, 0.5, 1.0, 1e308, -1e308, float("nan"), float("inf"), 1j,
    fractions.Fraction(1, 2), decimal.Decimal("0.5"), decimal.Decimal("NaN"), datetime.timedelta(1), np.float32(1), np.int8(5),
    np.datetime64("NaT"), np.array(600),
]  # fmt: skip
SEQUENCES = [
    (), [], {}, set(), range(3), (1, 2, 3), (300, 0, 0), (1.0, 1.0, 0.0), (1, 2, 3, 4), [None] * 3, iter([1]), [[1, 2], [3]], [[[]]],
    np.array([1, 2]), {"a": LABELS}, b"", b"ab", memoryview(b"abc"),
]  # fmt: skip
OTHERS = [
    None, "", "2", "best", "fast", "alpha", "public", "cpu", "\0", "\udcff", np.str_("x"), object(), int, Ellipsis, NotImplemented,
    Path("x"),
    len, Exception("x"), slice(1),
]  # fmt: skip
anything = st.one_of(st.sampled_from([*IMAGES, *LABEL_MAPS, *NUMBERS, *SEQUENCES, *OTHERS]), st.sampled_from(DTYPES).flatmap(arrays_of))

FUNCTIONS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "as_image": (ainet.read_image, {"source": IMAGE, "page": None, "stretch": None, "bands": None}),
    "boundaries": (ainet.boundaries, {"labels": LABELS}),
    "overlay": (ainet.overlay, {"image": IMAGE, "labels": LABELS, "colour": (255, 255, 0)}),
    "mean_colour": (ainet.mean_colour, {"image": IMAGE, "labels": LABELS}),
    "region_table": (ainet.region_table, {"labels": LABELS, "image": IMAGE}),
    "adjacency": (ainet.adjacency, {"labels": LABELS}),
    "graph": (ainet.graph, {"labels": LABELS, "image": IMAGE}),
    "enforce_connectivity": (ainet.enforce_connectivity, {"labels": LABELS, "min_size": 4, "max_size": 100}),
    "from_labels": (
        ainet.Hierarchy.from_labels,
        {"labels": LABELS, "image": IMAGE, "cost": "plain", "mask": None, "within": None},
    ),
    "cut": (TREE.cut, {"n_segments": 5, "threshold": None}),
    "cuts": (TREE.cuts, {"counts": [5, 6]}),
    "evaluate_image": (metrics.evaluate_image, {"image_id": "x", "labels": LABELS, "ground_truths": [LABELS], "image": IMAGE}),
    "evaluate": (metrics.evaluate, {"labels": LABELS, "ground_truths": [LABELS], "image": IMAGE}),
    "curve_mean": (metrics.curve_mean, {"x": [1, 2, 3], "y": [1, 2, 3], "low": 1, "high": 3}),
    "tolerance_radius": (metrics.tolerance_radius, {"height": 321, "width": 481}),
    "summarise": (metrics.summarise, {"rows": metrics.evaluate_image("x", LABELS, [LABELS])}),
    "load": (Segmenter.load, {"model": "scn", "device": "cpu", "threads": 1}),
    **{name: (metrics.PAIR_METRICS[name], {"labels": LABELS, "ground_truth": LABELS}) for name in metrics.PAIR_METRICS},
    **{name: (metrics.LABEL_METRICS[name], {"labels": LABELS}) for name in metrics.LABEL_METRICS},
    **{name: (metrics.IMAGE_METRICS[name], {"labels": LABELS, "image": IMAGE}) for name in metrics.IMAGE_METRICS},
}  # fmt: skip


def try_with(data: st.DataObject, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
    changed = data.draw(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True))
    chosen = {**arguments, **{name: data.draw(anything, name) for name in changed}}
    try:
        function(**chosen)
    except AINetError as error:
        assert len(str(error)) > 15, error


quick = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    @settings(quick, max_examples=8 if name == "load" else 40)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        try_with(data, *FUNCTIONS[name])

    run()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_calls_of_a_segmenter(segmenter: Segmenter) -> None:
    one = {"image": IMAGE, "n_segments": 6, "mask": None, "within": None}
    sizes = {"n_segments": 6, "scale": None, "protocol": None, "quality": None}
    calls = [
        (segmenter, {**one, **sizes, "start_label": None}),
        (segmenter.hierarchy, one),
        (segmenter.plan, {"height": 32, "width": 48, **sizes}),
        (slic, {"image": IMAGE, "n_segments": 6, "start_label": 1, "mask": None, "channel_axis": -1, "enforce_connectivity": True}),
    ]

    @settings(quick, max_examples=150)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        function, kwargs = data.draw(st.sampled_from(calls))
        try_with(data, function, kwargs)

    run()


def test_colours() -> None:
    line = np.zeros((32, 48), bool)
    line[7:-1:8] = True
    line[:, 7:-1:8] = True
    for colour, expected in (
        ((255, 255, 0), (255, 255, 0)),
        ((1.0, 1.0, 0.0), (255, 255, 0)),
        ([0, 0, 0], (0, 0, 0)),
        (np.array([0.5, 0, 1], np.float32), (128, 0, 255)),
        (np.array([1, 2, 3], np.uint64), (1, 2, 3)),
    ):
        drawn = ainet.overlay(IMAGE, LABELS, colour)  # type: ignore[arg-type]  # arrays and lists are as good
        np.testing.assert_array_equal(drawn, np.where(line[:, :, None], expected, IMAGE))
    for colour in (None, 256, (256, 0, 0), (-1, 0, 0), (1, 2, 3, 4), (1.5, 0.0, 0.0), (255.0, 255.0, 0.0), (np.nan, 0, 0), "red", ()):
        with pytest.raises(UsageError, match="colour must be R, G, B"):
            ainet.overlay(IMAGE, LABELS, colour)  # type: ignore[arg-type]


def test_labels_as_other_libraries_hold_them() -> None:
    expected = ainet.overlay(IMAGE, LABELS)
    for labels in (LABELS.tolist(), LABELS.astype(">i2"), LABELS.astype(np.uint64), LABELS[::-1][::-1], np.ma.MaskedArray(LABELS)):
        np.testing.assert_array_equal(ainet.overlay(IMAGE, labels), expected)
        assert metrics.achievable_segmentation_accuracy(labels, LABELS) == 1
    for bad in (LABELS.astype("timedelta64[s]"), LABELS.astype(float), LABELS.astype(bool), np.ma.MaskedArray(LABELS, LABELS == 2)):
        for function in (ainet.boundaries, ainet.adjacency, ainet.region_table, metrics.compactness):
            with pytest.raises(UsageError, match="labels"):
                function(bad)


def test_numbers_that_are_as_good(segmenter: Segmenter) -> None:
    expected = segmenter(IMAGE, scale=1.5)
    np.testing.assert_array_equal(segmenter(IMAGE, scale=fractions.Fraction(3, 2)), expected)  # type: ignore[call-overload]
    np.testing.assert_array_equal(segmenter(IMAGE, scale=np.float32(1.5)), expected)
    np.testing.assert_array_equal(segmenter(IMAGE, np.int8(6)), segmenter(IMAGE, 6))
    for threads in ("2", 1.5, None, -1):
        with pytest.raises(UsageError, match="threads"):
            Segmenter.load("scn", "cpu", threads)  # type: ignore[arg-type]


def test_the_largest_images_have_a_plan(segmenter: Segmenter) -> None:
    assert segmenter.plan(8192, 8192, 600).cells == 35 * 34
    assert segmenter.plan(8192, 8192, 600, quality="fast").cells == 24 * 25


@pytest.mark.parametrize("side", [2**16, 10**20, 10**400])
def test_plans_of_images_that_cannot_be(segmenter: Segmenter, side: int) -> None:
    for options in ({}, {"scale": 1}, {"quality": "fast"}):
        with pytest.raises(ImageError, match="megapixels"):
            segmenter.plan(side, side, **options)
