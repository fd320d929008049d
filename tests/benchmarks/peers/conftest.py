"""Fixtures of the peers' tests."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS

from ainet import read_image
from ainet.metrics import achievable_segmentation_accuracy
from ainet.runtime.postprocess import enforce_connectivity
from ainet.training.datasets import bsds500

PHOTO = PHOTOS / "chelsea.jpg"


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """(75, 113, 3): a photo at a quarter of its size."""
    return np.ascontiguousarray(read_image(PHOTO)[::4, ::4])


@pytest.fixture(scope="session")
def peer_data(shared: Path) -> Path:
    """The folder of weights and vectors of the peers."""
    folder = shared / "peers"
    if not (folder / "vectors.npz").is_file():
        pytest.skip(f"no vectors of the peers at {folder}")
    return folder


@pytest.fixture(scope="session")
def peer_vectors(peer_data: Path) -> dict[str, NDArray[np.generic]]:
    return dict(np.load(peer_data / "vectors.npz"))


@pytest.fixture(scope="session")
def check_labels() -> Callable[..., int]:
    """Asserts what every method promises, and gives the number of superpixels."""

    def check(labels: NDArray[np.int32], image: NDArray[np.uint8]) -> int:
        assert labels.dtype == np.int32
        assert labels.shape == image.shape[:2]
        count = int(labels.max()) + 1
        np.testing.assert_array_equal(np.unique(labels), np.arange(count))
        assert enforce_connectivity(labels, 1, labels.size).max() + 1 == count  # as many 4-connected pieces as labels
        return count

    return check


@pytest.fixture(scope="session")
def mean_asa(shared: Path) -> Callable[[NDArray[np.integer], str], float]:
    """Mean ASA of a label map against the ground truths of an image of BSDS500 val."""
    samples = {sample.image_id: sample for sample in bsds500(shared / "bsds500", "val")}

    def mean(labels: NDArray[np.integer], image_id: str) -> float:
        return float(np.mean([achievable_segmentation_accuracy(labels, truth) for truth in samples[image_id].segmentations()]))

    return mean


@pytest.fixture(scope="session")
def val_image(shared: Path) -> Callable[[str], NDArray[np.uint8]]:
    return lambda image_id: read_image(shared / "bsds500" / "images" / "val" / f"{image_id}.jpg")
