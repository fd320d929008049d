"""`ainet train`: the data sets that it takes, what it says to those that it does not, validation and budgets."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.blocks import write_sample
from support.command_line import Run

from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import bsds500
from ainet.training.validation import validation_loss

pytestmark = pytest.mark.slow

RECIPE = "iterations = 1\nbatch_size = 2\ncrop = 32\nlr = 1e-3"


@pytest.fixture
def tiny(folder: Path) -> Path:
    """Two images with label maps, in the layouts of a plain folder, NYUv2 and BSDS500 (train and val), and a recipe."""
    rng = np.random.default_rng(0)
    for place in ("photos", "maps", "nyu/images/train", "nyu/labels/train"):
        Path(place).mkdir(parents=True)
    for name in ("a", "b"):
        image, labels = rng.integers(0, 256, (48, 64, 3), np.uint8), np.indices((48, 64), np.uint8)[1] // 32
        for images, maps in (("photos", "maps"), ("nyu/images/train", "nyu/labels/train")):
            cv2.imwrite(f"{images}/{name}.png", image)
            cv2.imwrite(f"{maps}/{name}.png", labels)
        for split in ("train", "val"):
            write_sample(Path("bsds"), split, name, image, [labels])
    Path("tiny.toml").write_text(RECIPE)
    return folder


@pytest.mark.parametrize("data", [("--images", "photos", "--labels", "maps"), ("--nyuv2", "nyu")])
def test_data_sets(run: Run, tiny: Path, data: tuple[str, ...]) -> None:
    result = run("train", "scn", "--recipe", "tiny.toml", *data, "-o", "out", "--device", "cpu")
    assert (result.code, result.lines[-1]) == (0, "finished")
    assert load_checkpoint(Path("out/weights.safetensors")).config["iteration"] == 1


def test_val_is_evaluated(run: Run, tiny: Path) -> None:
    result = run("train", "scn", "--recipe", "tiny.toml", "--bsds", "bsds", "-o", "out", "--device", "cpu")
    assert (result.code, result.lines[-1]) == (0, "finished")
    (line,) = [line for line in result.lines if line.startswith("val ")]
    figures = {key: float(value) for key, value in (pair.split() for pair in line.removeprefix("val  ").split("  "))}
    assert list(figures) == ["loss", "semantic", "position", "asa", "br", "bp", "co"]
    assert all(math.isfinite(value) for value in figures.values()) and 0.5 <= figures["asa"] <= 1
    network = load_checkpoint(Path("out/weights.safetensors")).network
    assert figures["loss"] == pytest.approx(validation_loss(network, bsds500("bsds", "val"))["loss"], rel=1e-3)


def test_val_is_not_evaluated_where_it_is_trained_on(run: Run, tiny: Path) -> None:
    Path("both.toml").write_text(RECIPE + '\nsplits = ["train", "val"]')
    result = run("train", "scn", "--recipe", "both.toml", "--bsds", "bsds", "-o", "out", "--device", "cpu")
    assert (result.code, result.lines[-1]) == (0, "finished")
    assert [line for line in result.lines if "val" in line] == ["the recipe trains on val, so nothing is evaluated on it"]


def test_a_budget_stops_with_a_checkpoint_from_which_the_same_command_goes_on(run: Run, tiny: Path) -> None:
    Path("three.toml").write_text(RECIPE.replace("iterations = 1", "iterations = 3"))
    command = ("train", "scn", "--recipe", "three.toml", "--images", "photos", "--labels", "maps", "--device", "cpu")
    result = run(*command, "-o", "out", "--budget", "0.001s")
    assert (result.code, result.lines[-1]) == (0, "stopped; run the same command to go on")
    weights = Path("out/weights.safetensors")
    assert load_checkpoint(weights).config["iteration"] == 1
    result = run(*command, "-o", "out")
    assert (result.code, result.lines[0], result.lines[-1]) == (0, "going on from iteration 1 in out", "finished")
    assert run(*command, "-o", "whole").code == 0
    assert weights.read_bytes() == Path("whole/weights.safetensors").read_bytes()


BAD = {
    (): "name one data set: --bsds FOLDER, --nyuv2 FOLDER, or --images FOLDER and --labels FOLDER",
    ("--bsds", "nyu", "--nyuv2", "nyu"): "name one data set",
    ("--images", "photos"): "images of your own need both --images FOLDER and --labels FOLDER",
    ("--images", "photos", "--labels", "none"): "no folder none",
    ("--images", "photos", "--labels", "x" * 300): "no folder xxx",
    ("--nyuv2", "x" * 300): "no NYUv2 'train' in xxx",
    ("--bsds", "x" * 300): "no image of BSDS500 'train' in xxx",
    ("--nyuv2", "photos"): "no NYUv2 'train' in photos; expected either",
    ("--bsds", "photos"): "no image of BSDS500 'train' in photos; expected",
}


@pytest.mark.parametrize("data", BAD)
def test_what_is_not_there(run: Run, tiny: Path, data: tuple[str, ...]) -> None:
    result = run("train", "scn", "--recipe", "tiny.toml", *data, "-o", "out", "--device", "cpu")
    assert result.code == 2
    assert BAD[data] in " ".join(result.errors)
    assert not Path("out").exists()


FOLDER, BSDS, NYU = ("--images", "photos", "--labels", "maps"), ("--bsds", "bsds"), ("--nyuv2", "nyu")
SMALL = cv2.imencode(".png", np.zeros((32, 64), np.uint8))[1].tobytes()
DAMAGED = {
    "size": (FOLDER, "maps/a.png", SMALL, 1, "maps/a.png is (32, 64), its image is (48, 64) (height, width)"),
    "two maps": (FOLDER, "maps/a.csv", b"0,1\n", 2, "maps has a.csv and a.png for one image"),
    "BSDS500": (BSDS, "bsds/groundTruth/train/a.mat", b"MATLAB 5.0", 1, "train/a.mat is not a BSDS500 ground truth"),
    "NYUv2": (NYU, "nyu/nyu_depth_v2_labeled.mat", b"MATLAB 7.3", 1, "cannot read images of image 7 in nyu/nyu_depth_v2_labeled.mat"),
    "encoding": (FOLDER, "tiny.toml", b"# \xff", 2, "tiny.toml is not valid TOML"),
    "seed": (FOLDER, "tiny.toml", f"{RECIPE}\nseed = -1".encode(), 2, "seed is -1; it must be in 0..2^63 - 1"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_one_line(run: Run, tiny: Path, case: str) -> None:
    data, path, content, code, message = DAMAGED[case]
    Path(path).write_bytes(content)
    result = run("train", "scn", "--recipe", "tiny.toml", *data, "-o", "out", "--device", "cpu")
    assert (result.code, len(result.errors)) == (code, 1)
    assert result.errors[0].startswith("error: ") and message in result.errors[0]
    assert not Path("out").exists()
