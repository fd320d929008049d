"""`ainet eval`: every mean under its name, equal to one by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from support.blocks import write_sample
from support.command_line import FAST, Run, expected

from ainet import Segmenter, read_image
from ainet.metrics import achievable_segmentation_accuracy
from ainet.training.datasets import label_folder

COLUMN = np.arange(8) * np.ones((4, 1), np.uint16)  # (4, 8)

# ASA of the pairs. Image 1, ground truths 0 to 4: 1, and 5: 24/32. Image 2: 16/32, or with its segment 60 merged into the first: 1.
ASA = {
    "row_mean/all_gts": 6.25 / 7,
    "row_mean/first5_gts": 5.5 / 6,
    "row_mean/all_gts_merged_above_50": 6.75 / 7,
    "image_mean/all_gts": (5.75 / 6 + 0.5) / 2,
    "image_mean/first5_gts": 0.75,
    "image_mean/all_gts_merged_above_50": (5.75 / 6 + 1) / 2,
    "mean_min/all_gts": (0.75 + 0.5) / 2,
    "mean_min/first5_gts": 0.75,
    "mean_min/all_gts_merged_above_50": (0.75 + 1) / 2,
    "mean_max/all_gts": 0.75,
    "mean_max/first5_gts": 0.75,
    "mean_max/all_gts_merged_above_50": 1,
}
PAIRS = {"all_gts": 7, "first5_gts": 6, "all_gts_merged_above_50": 7}


@pytest.fixture
def data(folder: Path) -> Path:
    """`bsds` with two images of 4 x 8 pixels, and `labels`: the halves of the first side by side, of the second one above the other."""
    halves, picture = (COLUMN >= 4).astype(np.uint16), np.zeros((4, 8, 3), np.uint8)
    write_sample(Path("bsds"), "val", "1", picture, [halves + 1] * 5 + [(COLUMN >= 6).astype(np.uint16) + 1])
    write_sample(Path("bsds"), "val", "2", picture, [np.where(halves, 60, 1).astype(np.uint16)])
    Path("labels").mkdir()
    np.save("labels/1.npy", halves)
    np.savetxt("labels/2.csv", np.arange(4)[:, None] // 2 * np.ones(8, int), "%d", delimiter=",")
    return folder


def test_the_means_of_a_small_data_set(run: Run, data: Path) -> None:
    result = run("eval", "--labels", "labels", "--bsds", "bsds", "--json", "means.json")
    assert (result.code, result.errors) == (0, [])
    header, *lines = (line.replace(" (main)", "").split() for line in result.lines)
    assert header[:7] == ["mean", "over", "2", "images", "pairs", "asa", "rec"]
    assert {line[0]: float(line[2]) for line in lines} == pytest.approx(ASA, abs=6e-5)
    assert [int(line[1]) for line in lines] == 4 * list(PAIRS.values())
    assert float(lines[0][3]) == pytest.approx((5 + 0 + 0.5) / 7, abs=6e-5)  # half of the boundary of image 2 is met
    content = json.loads(Path("means.json").read_text())
    assert (content["split"], content["images"], content["pairs"]) == ("val", 2, PAIRS)
    means = {f"{average}/{truths}": of["asa"] for average, kinds in content["means"].items() for truths, of in kinds.items()}
    assert means == pytest.approx(ASA)


def test_a_map_of_another_size_is_one_line(run: Run, data: Path) -> None:
    np.save("labels/1.npy", np.zeros((8, 4), int))
    result = run("eval", "--labels", "labels", "--bsds", "bsds", "--json", "means.json")
    assert (result.code, result.lines, len(result.errors)) == (1, [], 1)
    assert "labels/1.npy is (8, 4)" in result.errors[0]
    assert not Path("means.json").exists()


def test_a_place_that_cannot_be_written_is_told_before_the_work(run: Run, data: Path) -> None:
    result = run("eval", "--labels", "labels", "--bsds", "bsds", "--json", "labels")
    assert (result.code, result.lines) == (1, [])
    assert "cannot write labels: it is a folder" in result.errors[0]


@pytest.mark.parametrize("kind", ["npy", "png16", "csv"])
def test_eval_and_training_read_what_segment_writes(run: Run, segmenter: Segmenter, kind: str) -> None:
    photo = read_image("a.png")
    truth = np.arange(48 * 64).reshape(48, 64) // 900 + 1
    write_sample(Path("bsds"), "val", "a", photo[..., ::-1], [truth.astype(np.uint16)])
    run("segment", "a.png", "-o", "labels", *FAST, "--format", kind, "--format", "overlay")
    result = run("eval", "--labels", "labels", "--bsds", "bsds", "--json", "means.json")
    assert (result.code, result.errors) == (0, [])
    asa = json.loads(Path("means.json").read_text())["means"]["row_mean"]["all_gts"]["asa"]
    assert asa == pytest.approx(achievable_segmentation_accuracy(expected(segmenter, "a.png"), truth))
    Path("b.jpg").unlink()
    (sample,) = label_folder(".", "labels")
    np.testing.assert_array_equal(sample.segmentations(), [expected(segmenter, "a.png")])
