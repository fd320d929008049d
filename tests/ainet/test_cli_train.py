"""`ainet train`: the data sets that it takes, and what it says to those that it does not."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import Run

from ainet.training.checkpoint import load_checkpoint

RECIPE = "iterations = 1\nbatch_size = 2\ncrop = 32\nlr = 1e-3"


@pytest.fixture
def tiny(folder: Path) -> Path:
    """Two images with label maps, in the layouts of a plain folder and of NYUv2, and a recipe."""
    rng = np.random.default_rng(0)
    for place in ("photos", "maps", "nyu/images/train", "nyu/labels/train"):
        Path(place).mkdir(parents=True)
    for name in ("a", "b"):
        image, labels = rng.integers(0, 256, (48, 64, 3), np.uint8), np.indices((48, 64), np.uint8)[1] // 32
        for images, maps in (("photos", "maps"), ("nyu/images/train", "nyu/labels/train")):
            cv2.imwrite(f"{images}/{name}.png", image)
            cv2.imwrite(f"{maps}/{name}.png", labels)
    Path("tiny.toml").write_text(RECIPE)
    return folder


@pytest.mark.parametrize("data", [("--images", "photos", "--labels", "maps"), ("--nyuv2", "nyu")])
def test_data_sets(run: Run, tiny: Path, data: tuple[str, ...]) -> None:
    result = run("train", "scn", "--recipe", "tiny.toml", *data, "-o", "out", "--device", "cpu")
    assert (result.code, result.lines[-1]) == (0, "finished")
    assert load_checkpoint(Path("out/weights.safetensors")).config["iteration"] == 1


BAD = {
    (): "name one data set: --bsds FOLDER, --nyuv2 FOLDER, or --images FOLDER and --labels FOLDER",
    ("--bsds", "nyu", "--nyuv2", "nyu"): "name one data set",
    ("--images", "photos"): "images of your own need both --images FOLDER and --labels FOLDER",
    ("--images", "photos", "--labels", "none"): "nothing usable in none; expected",
    ("--nyuv2", "photos"): "no NYUv2 'train' in photos; expected either",
    ("--bsds", "photos"): "no image of BSDS500 'train' in photos; expected",
}


@pytest.mark.parametrize("data", BAD)
def test_what_is_not_there(run: Run, tiny: Path, data: tuple[str, ...]) -> None:
    result = run("train", "scn", "--recipe", "tiny.toml", *data, "-o", "out", "--device", "cpu")
    assert result.code == 2
    assert BAD[data] in " ".join(result.errors)
    assert not Path("out").exists()
