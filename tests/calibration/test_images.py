"""The choice of calibration images, and that the network is given what the runtime gives it."""

import cv2
import numpy as np
import pytest
from PIL import Image

from ainet.calibration.images import choose_images, edge_density, network_input
from ainet.errors import ImageError, UsageError
from ainet.folders import image_files
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN


def save(folder, name, pixels):
    Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}.png")


@pytest.fixture
def stripes(tmp_path):
    """Twelve images, 00.png to 11.png, each with more edges than the one before."""
    for number in range(12):
        pixels = np.full((64, 64, 3), 100)
        pixels[:, : 4 * number + 8 : 4] = 160
        save(tmp_path, f"{number:02}", pixels)
    return tmp_path


def test_one_image_of_each_stratum(stripes):
    files = image_files(stripes, print)
    chosen = choose_images(files, 4)
    assert [int(image.path.stem) // 3 for image in chosen] == [0, 1, 2, 3]
    assert [image.edges for image in chosen] == sorted(image.edges for image in chosen)
    assert [image.sha256 for image in choose_images(files, 4)] == [image.sha256 for image in chosen]
    others = {tuple(image.path.name for image in choose_images(files, 4, seed)) for seed in range(6)}
    assert len(others) > 1
    assert [image.path for image in choose_images(files, 99)] == files


def test_edge_density_of_a_ramp():
    """Grey values that rise by one per pixel of the 320 x 320 have the slope 1 everywhere but at the border columns."""
    ramp = np.tile(np.minimum(np.arange(320), 255).astype(np.uint8)[None, :, None], (320, 1, 3))
    assert edge_density(ramp) == pytest.approx(254.5 / 320, abs=0.01)


def test_network_input_is_the_runtimes(few_segments):
    pixels = np.random.default_rng(0).integers(0, 256, (120, 160, 3)).astype(np.uint8)
    resized = cv2.resize(pixels, (128, 96), interpolation=cv2.INTER_CUBIC)
    info = {output: ModelInfo("ainet", output, "int8", MEAN, "", {}, "") for output in ("logits", "labels")}
    np.testing.assert_array_equal(network_input(pixels, info["labels"]), resized[None])
    expected = (resized / np.float32(255) - np.float32(MEAN)).transpose(2, 0, 1)[None]
    np.testing.assert_allclose(network_input(pixels, info["logits"]), expected, atol=1e-6)


def test_folders_and_counts_that_do_not_do(tmp_path, stripes):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no folder"):
        image_files(tmp_path / "none", print)
    with pytest.raises(ImageError, match="holds no images"):
        image_files(tmp_path / "empty", print)
    with pytest.raises(UsageError, match="3 calibration images are too few: ask for at least 4"):
        choose_images(image_files(stripes, print), 3)
    with pytest.raises(UsageError, match="2 usable calibration images are too few"):
        choose_images(image_files(stripes, print)[:2], 8)


@pytest.mark.parametrize("colour", [(0, 0, 0), (200, 0, 0)])
def test_images_of_one_colour_are_refused(tmp_path, colour):
    for number in range(5):
        save(tmp_path, number, np.full((32, 32, 3), colour))
    with pytest.raises(UsageError, match="none of the 5 calibration images shows anything: each is of one colour, such as black"):
        choose_images(image_files(tmp_path, print), 4)


def test_a_damaged_image_is_named(stripes):
    (stripes / "05.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageError, match=r"05\.png"):
        choose_images(image_files(stripes, print), 4)
