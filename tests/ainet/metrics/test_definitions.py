import csv
import json
import math
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from ainet import metrics
from ainet.errors import UsageError
from ainet.metrics import LabelMap, tolerance_radius

# Relative tolerances against the tool. It sums in 32 bits in raster order where these metrics use 64; `mde` depends on OpenCV's
# fixed-point format, which newer versions refined. A tolerance of 0 is equality of the 32-bit values.
TOLERANCES = {
    "rec": 0,
    "pre": 0,
    "asa": 0,
    "ue": 0,
    "ue_np": 0,
    "ue_levin": 1e-6,
    "oe": 0,
    "co": 1e-5,
    "cd": 0,
    "ev": 1e-3,
    "sse_rgb": 1e-3,
    "sse_xy": 5e-3,
    "icv": 1e-3,
    "mde": 1e-4,
    "reg": 0,
    "sp": 0,
    "sp_size": 0,
    "sp_size_variation": 1e-6,
}
NEED_IMAGE = ("ev", "sse_rgb", "sse_xy", "icv")  # the columns that the tool leaves out where a case has no image


@pytest.fixture(scope="module")
def values(shared: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Per metric: (what was measured, our value, the tool's), one entry for each row of the reference table that has the metric."""
    folder = shared / "reference" / "metrics"
    cases = json.loads((folder / "cases.json").read_text())["cases"]
    labels, ground_truths = np.load(folder / "labels.npz"), np.load(folder / "gt.npz")
    ours = {}
    for case, facts in cases.items():
        image = None
        if "source" in facts:
            image = cv2.cvtColor(cv2.imread(str(shared / "bsds500" / "images" / f"{facts['source']}.jpg")), cv2.COLOR_BGR2RGB)
            top, left = facts.get("top", 0), facts.get("left", 0)
            image = image[top : top + facts["height"], left : left + facts["width"]]
        segmentations = [ground_truths[f"{case}__gt{k}"] for k in range(facts["n_gt"])]
        for name in facts["label_maps"]:
            ours[case, name] = metrics.evaluate(labels[f"{case}__{name}"], segmentations, image)
    collected = defaultdict(list)
    with (folder / "metrics.csv").open() as table:
        for row in csv.DictReader(table):
            case, name, k = row.pop("case"), row.pop("label_map"), int(row.pop("gt"))
            for metric, value in row.items():
                if value:
                    collected[metric].append((f"{case} {name} gt{k}", ours[case, name][k][metric], float(value)))
    return collected


@pytest.mark.parametrize(("metric", "tolerance"), TOLERANCES.items())
def test_every_reference_row(values: dict[str, list[tuple[str, float, float]]], metric: str, tolerance: float) -> None:
    where, ours, tools = zip(*values[metric], strict=True)
    assert len(where) == (280 if metric in NEED_IMAGE else 294)
    np.testing.assert_allclose(np.float32(ours), np.float32(tools), rtol=tolerance, atol=0, equal_nan=True)


def test_evaluate_has_the_tools_columns(values: dict[str, list[tuple[str, float, float]]]) -> None:
    assert values.keys() == TOLERANCES.keys() == metrics.PAIR_METRICS.keys() | metrics.LABEL_METRICS.keys() | metrics.IMAGE_METRICS.keys()


def test_worked_by_hand() -> None:
    """Superpixels aabb against segments abbb: boundary pixels .##. and ##.., tolerance radius 0."""
    labels, ground_truth = np.array([[0, 0, 1, 1]]), np.array([[5, 7, 7, 7]])
    assert metrics.achievable_segmentation_accuracy(labels, ground_truth) == 0.75
    assert metrics.undersegmentation_error(labels, ground_truth) == 0.25
    assert metrics.undersegmentation_error_np(labels, ground_truth) == 0.5  # both cells of superpixel a count
    assert metrics.undersegmentation_error_levin(labels, ground_truth) == pytest.approx((1 / 1 + 1 / 3) / 8)  # ids 0..7
    assert metrics.oversegmentation_error(labels, ground_truth) == 0.25
    assert metrics.boundary_recall(labels, ground_truth) == 0.5
    assert metrics.boundary_precision(labels, ground_truth) == 0.5
    assert metrics.mean_distance_to_edge(labels, ground_truth) == pytest.approx(0.955 / 2, rel=1e-4)
    assert metrics.compactness(labels) == pytest.approx(4 * math.pi * 2 / 6**2)
    assert metrics.contour_density(labels) == 0.5
    assert metrics.superpixel_count(labels) == 2
    assert metrics.mean_superpixel_size(labels) == 2
    assert metrics.sum_of_squared_error_xy(labels) == 0.25
    image = np.array([[[0, 0, 0], [2, 0, 0], [4, 0, 0], [6, 0, 0]]], np.uint8)  # superpixel means 1 and 5, image mean 3
    assert metrics.sum_of_squared_error_rgb(labels, image) == 1
    assert metrics.explained_variation(labels, image) == pytest.approx(16 / 20)
    assert metrics.intra_cluster_variation(labels, image) == 1


@pytest.mark.parametrize(
    ("height", "width", "radius"),
    [(321, 481, 1), (120, 160, 0), (121, 160, 1), (360, 480, 1), (361, 480, 2), (600, 800, 2), (840, 1120, 3), (1, 1, 0)],
)
def test_tolerance_radius_rounds_exact_halves_down(height: int, width: int, radius: int) -> None:
    assert tolerance_radius(height, width) == radius


small_maps = npst.array_shapes(min_dims=2, max_dims=2, max_side=12).flatmap(
    lambda shape: st.tuples(
        npst.arrays(np.int32, shape, elements=st.integers(0, 5)), npst.arrays(np.int32, shape, elements=st.integers(0, 5))
    )
)


@settings(deadline=None)
@given(small_maps)
def test_a_map_against_itself_is_perfect(maps: tuple[np.ndarray, np.ndarray]) -> None:
    labels, _ = maps
    row = metrics.evaluate(labels, [labels])[0]
    assert row["asa"] == 1
    assert row["ue"] == row["ue_np"] == row["ue_levin"] == row["oe"] == 0
    assert row["rec"] == row["pre"] == (1 if (labels != labels[0, 0]).any() else 0)


@settings(deadline=None)
@given(small_maps)
def test_relations_between_metrics(maps: tuple[np.ndarray, np.ndarray]) -> None:
    labels, ground_truth = maps
    row, swapped = metrics.evaluate(labels, [ground_truth])[0], metrics.evaluate(ground_truth, [labels])[0]
    assert row["asa"] + row["ue"] == pytest.approx(1, abs=1e-7)
    assert row["ue"] <= row["ue_np"] <= 2 * row["ue"]
    assert row["oe"] == swapped["ue"]


@settings(deadline=None)
@given(small_maps)
def test_names_and_dtype_of_ids_do_not_matter(maps: tuple[np.ndarray, np.ndarray]) -> None:
    labels, ground_truth = maps
    names = np.array([2**31 - 1, 7, 70_000, 0, 2**30, 12], np.uint64)
    row = metrics.evaluate(labels, [ground_truth])[0]
    renamed = metrics.evaluate(names[labels], [names[ground_truth].astype(np.int64)])[0]
    counts_unused_ids = {"ue_levin", "reg"}
    for name in row.keys() - counts_unused_ids:
        np.testing.assert_allclose(renamed[name], row[name], rtol=1e-12, err_msg=name)


def test_a_ground_truth_measured_twice_is_not_confused_with_the_last() -> None:
    labels = LabelMap(np.array([[0, 0, 1, 1]]))
    first, second = LabelMap(np.array([[0, 0, 1, 1]])), LabelMap(np.array([[0, 1, 1, 1]]))
    assert [metrics.achievable_segmentation_accuracy(labels, truth) for truth in (first, second, first)] == [1, 0.75, 1]


def test_single_colour_has_no_variation_to_explain() -> None:
    assert math.isnan(metrics.explained_variation(np.zeros((4, 5), int), np.full((4, 5, 3), 9, np.uint8)))


def test_regularity_is_nan_where_the_tool_crashes() -> None:
    assert math.isnan(metrics.regularity(np.array([[0, 4]])))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((4, 5)), "labels must be a non-empty \\(H, W\\) array of integers, not float64 of shape \\(4, 5\\)"),
        (np.zeros((4, 5), bool), "not bool"),
        (np.zeros((4, 5, 3), np.uint8), "of shape \\(4, 5, 3\\)"),
        (np.zeros((0, 5), int), "labels must be a non-empty .* of shape \\(0, 5\\)"),
        (np.full((4, 5), -1), "labels has ids from -1 to -1; relabel"),
        (np.full((4, 5), 2**31), "ids from 2147483648"),
        (np.zeros((5, 4), int), "labels are \\(5, 4\\) but ground_truth is \\(4, 5\\)"),
    ],
)
def test_arrays_that_are_no_label_maps(labels: np.ndarray, message: str) -> None:
    for metric in metrics.PAIR_METRICS.values():
        with pytest.raises(UsageError, match=message):
            metric(labels, np.zeros((4, 5), int))


def test_wrong_ground_truths() -> None:
    labels = np.zeros((4, 5), int)
    with pytest.raises(UsageError, match="ground_truth has ids from -2 to -2"):
        metrics.evaluate(labels, [labels, labels - 2])
    with pytest.raises(UsageError, match="ground_truths is empty"):
        metrics.evaluate(labels, [])


@pytest.mark.parametrize("image", [np.zeros((4, 5, 3)), np.zeros((4, 5), np.uint8), np.zeros((5, 4, 3), np.uint8)])
def test_wrong_images(image: np.ndarray) -> None:
    for metric in metrics.IMAGE_METRICS.values():
        with pytest.raises(UsageError, match="image must be uint8 RGB of shape \\(4, 5, 3\\)"):
            metric(np.zeros((4, 5), int), image)


def test_all_metrics_are_public_and_need_no_extras() -> None:
    tables = (metrics.PAIR_METRICS, metrics.LABEL_METRICS, metrics.IMAGE_METRICS)
    assert all(function.__name__ in metrics.__all__ for table in tables for function in table.values())
    assert metrics.__doc__ is not None
    assert all(name in metrics.__doc__ for table in tables for name in table)
    code = "import sys, ainet.metrics; print(*sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[1:])))"
    extras = ["torch", "scipy", "skimage", "onnx", "onnxruntime", "openvino", "matplotlib", "h5py"]
    loaded = subprocess.run([sys.executable, "-c", code, *extras], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
