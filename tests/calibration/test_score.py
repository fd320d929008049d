"""The score of calibrated models: by ground truths, and by regions where there are none."""

import numpy as np
import pytest
from PIL import Image

from ainet.calibration.images import choose_images
from ainet.calibration.score import score_by, scored_images_of_bsds, scored_images_of_folder
from ainet.folders import image_files
from ainet.metrics import achievable_segmentation_accuracy, boundary_recall

pytestmark = pytest.mark.slow


def test_means_over_all_pairs() -> None:
    rng = np.random.default_rng(0)
    labels = [rng.integers(0, 6, (6, 8)).repeat(8, 0).repeat(8, 1).astype(np.int32) for _ in range(2)]
    truths = [[rng.integers(0, 3, (3, 4)).repeat(16, 0).repeat(16, 1) for _ in range(count)] for count in (1, 3)]
    score = score_by(truths)(labels)
    pairs = [(labels[0], truths[0][0]), *((labels[1], truth) for truth in truths[1])]
    assert score["asa"] == pytest.approx(np.mean([achievable_segmentation_accuracy(*pair) for pair in pairs]), abs=1e-12)
    assert score["br"] == pytest.approx(np.mean([boundary_recall(*pair) for pair in pairs]), abs=1e-12)


def test_regions_stand_for_ground_truths(tmp_path) -> None:
    """A left and a right half: labels that follow the edge are perfect, labels across it are not."""
    for number in range(5):
        pixels = np.full((64, 64, 3), 40, np.uint8)
        pixels[:, 32:] = 200 + number
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    chosen = choose_images(image_files(tmp_path, print), 4)
    scored, score = scored_images_of_folder(image_files(tmp_path, print), chosen)
    assert [image.path for image in scored] == [image.path for image in chosen]  # no 20 others
    halves = np.zeros((64, 64), np.int32)
    halves[:, 32:] = 1
    assert score([halves] * 4)["asa"] == pytest.approx(1, abs=0.05)
    assert score([halves.T.copy()] * 4)["asa"] == pytest.approx(0.5, abs=0.05)


def test_scored_images_of_bsds(shared) -> None:
    scored, score = scored_images_of_bsds(shared / "bsds500")
    assert len(scored) == 20
    assert score([np.zeros(image.pixels.shape[:2], np.int32) for image in scored])["br"] == 0
