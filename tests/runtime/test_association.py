"""The association map: probabilities of the cells that the arg-max chooses from."""

from dataclasses import replace

import numpy as np
import pytest
from support.fixed_backend import FixedBackend
from support.paths import PHOTOS

import ainet
from ainet.errors import ImageError, ModelError, UsageError
from ainet.runtime.association import association
from ainet.runtime.pipeline import infer, network_input
from ainet.runtime.plan import plan_segments
from ainet.runtime.postprocess import assign

LOGITS = np.random.default_rng(0).normal(size=(1, 9, 48, 64)).astype(np.float32)
IMAGE = np.zeros((48, 64, 3), np.uint8)
PLAN = plan_segments(48, 64, 12)


def test_logits_become_probabilities() -> None:
    found = association(FixedBackend(LOGITS), IMAGE, PLAN)
    expected = np.exp(LOGITS[0].astype(np.float64))
    np.testing.assert_allclose(found.probabilities, expected / expected.sum(0), rtol=1e-5)
    assert found.probabilities.dtype == np.float32
    assert (found.working_size, found.grid) == ((48, 64), (3, 4))


def test_probabilities_stay_as_they_are() -> None:
    q = np.full((1, 9, 48, 64), 1 / 9, np.float32)
    np.testing.assert_array_equal(association(FixedBackend(q, "association"), IMAGE, PLAN).probabilities, q[0])


def test_cells_are_those_of_the_arg_max() -> None:
    """The best of the nine cells of every pixel, looked up, is the cell id that superpixels are made of; ties aside."""
    found = association(FixedBackend(LOGITS), IMAGE, PLAN)
    y, x = np.indices((48, 64))
    chosen = found.cells[found.probabilities.argmax(0), y // 16, x // 16]
    np.testing.assert_array_equal(chosen, assign(LOGITS, 48, 64)[0])


def test_the_cells_around_a_corner() -> None:
    cells = association(FixedBackend(LOGITS), IMAGE, PLAN).cells
    assert cells[:, 0, 0].tolist() == [0, 0, 1, 0, 0, 1, 4, 4, 5]
    assert cells[:, 1, 2].tolist() == [1, 2, 3, 5, 6, 7, 9, 10, 11]
    assert cells[:, 2, 3].tolist() == [6, 7, 7, 10, 11, 11, 10, 11, 11]


def test_a_model_of_labels_has_none() -> None:
    with pytest.raises(ModelError, match="--output"):
        association(FixedBackend(np.zeros((1, 48, 64), np.int32), "labels"), IMAGE, PLAN)


def test_the_bundled_model_in_tiles_and_whole() -> None:
    image = ainet.read_image(PHOTOS / "chelsea.jpg")[:160, :200]
    with ainet.Segmenter.load("scn", "cpu", 1) as segmenter:
        plan = plan_segments(*image.shape[:2], 2000)
        whole = segmenter.association(image, 2000)
        tiled = association(segmenter.backend, image, replace(plan, limit=560**2))
        logits = infer(segmenter.backend, network_input(image[None], plan, segmenter.info))
    assert plan.working_height > 560
    np.testing.assert_allclose(tiled.probabilities, whole.probabilities, atol=1e-5)
    np.testing.assert_allclose(whole.probabilities.sum(0), 1, rtol=1e-5)
    y, x = np.indices(whole.working_size)
    np.testing.assert_array_equal(whole.cells[whole.probabilities.argmax(0), y // 16, x // 16], assign(logits, *whole.working_size)[0])


def test_arguments() -> None:
    image = ainet.read_image(PHOTOS / "chelsea.jpg")
    with ainet.Segmenter.load("scn", "cpu", 1) as segmenter:
        assert segmenter.association(image, scale=0.2).working_size == (64, 96)
        assert segmenter.association(image, 24).grid == (4, 6)
        for bad in (3, 0.5, 10**9):
            with pytest.raises(UsageError):
                segmenter.association(image, bad)  # type: ignore[arg-type]
        with pytest.raises(ImageError):
            segmenter.association(image[:10])
