"""Fixtures of the calibration's tests: the bundled model, and four crops of photos at few superpixels, so that all is fast."""

from pathlib import Path

import pytest
from PIL import Image
from support.paths import PHOTOS

pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from ainet.calibration import images
from ainet.calibration.quantise import Calibration, exported
from ainet.folders import image_files
from ainet.models import bundled
from ainet.training.checkpoint import load_checkpoint

CROPS = {"a": (0, 0), "b": (100, 60), "c": (180, 80), "d": (60, 150)}


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("crops")
    photo = Image.open(PHOTOS / "chelsea.jpg")
    for name, (left, top) in CROPS.items():
        photo.crop((left, top, left + 128, top + 96)).save(path / f"{name}.png")
    return path


@pytest.fixture(scope="session")
def few_segments():
    """48 superpixels per image: a working size of 96 x 128."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images, "SEGMENTS", 48)
        yield


@pytest.fixture(scope="session")
def chosen(folder, few_segments):
    return images.choose_images(image_files(folder, print), 4)


@pytest.fixture(scope="session")
def float_model():
    return exported(load_checkpoint(bundled("ainet.safetensors")), "logits")


@pytest.fixture(scope="session")
def calibration(float_model, chosen):
    return Calibration(float_model, chosen)
