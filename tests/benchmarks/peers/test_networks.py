"""SSN and SEAL against the outputs of the implementations that their weights come from."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.benchmarks.peers import Options, Stages, open_method

seal = pytest.importorskip("ainet.benchmarks.peers.seal")

pytestmark = pytest.mark.slow

Vectors = dict[str, NDArray[np.generic]]
ValImage = Callable[[str], NDArray[np.uint8]]
MeanASA = Callable[[NDArray[np.integer], str], float]


def test_ssn(peer_data: Path, peer_vectors: Vectors, val_image: ValImage, mean_asa: MeanASA) -> None:
    method = open_method("ssn", Options(weights=peer_data))
    assert method.trained
    for image_id, n_segments in itertools.product(("3096", "175043", "33039"), (100, 600)):
        labels, reference = method(val_image(image_id), n_segments), peer_vectors[f"{image_id}.ssn_{n_segments}"].astype(np.int32)
        assert (labels == reference).mean() >= 0.999  # after connectivity
        assert abs(mean_asa(labels, image_id) - mean_asa(reference, image_id)) < 5e-4


def test_seal(peer_data: Path, peer_vectors: Vectors, val_image: ValImage, mean_asa: MeanASA) -> None:
    method = open_method("seal", Options(weights=peer_data, threads=2))
    assert method.trained
    image = val_image("175043")
    for n_segments in (100, 600):  # the second time without the network
        labels, reference = method(image, n_segments), peer_vectors[f"175043.seal_{n_segments}"].astype(np.int32)
        assert labels.max() + 1 == n_segments
        assert abs(mean_asa(labels, "175043") - mean_asa(reference, "175043")) < 2e-3
    affinity = method.affinity.of(image)
    np.testing.assert_allclose(affinity, peer_vectors["175043.seal_affinity"].astype(np.float32), atol=1e-3)  # stored in half precision


@pytest.mark.parametrize("image_id", ["3096", "33039"])
def test_ers_on_the_affinity_of_seal(image_id: str, peer_vectors: Vectors, mean_asa: MeanASA) -> None:
    """On all images; the affinity is rounded to half precision, which moves more than ties do."""
    weights = seal.affinity_weights(peer_vectors[f"{image_id}.seal_affinity"])
    labels, _ = seal.entropy_rate_superpixels(weights, 600)
    reference = peer_vectors[f"{image_id}.seal_600"].astype(np.int32)
    assert labels.max() == 599
    assert abs(mean_asa(labels, image_id) - mean_asa(reference, image_id)) < 2e-3


def test_diagonals_of_seal() -> None:
    right, below = np.array([[0.2, 9], [0.6, 9]]), np.array([[0.3, 0.7], [9, 9]])  # 9: to neighbours outside
    weights = seal.affinity_weights(np.stack((right, below)))
    expected = min((0.2 + 0.6) / 2, (0.3 + 0.7) / 2) / np.sqrt(2)
    assert weights[0, 1, 0] == weights[1, 0, 0] == expected
    assert (weights[3] == right).all()
    assert (weights[2] == below).all()


def test_seal_keeps_the_affinity_of_the_last_image_unless_it_is_timed(photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []
    predict = seal.predict_affinity
    monkeypatch.setattr(seal, "predict_affinity", lambda *arguments: runs.append(1) or predict(*arguments))
    method, image = open_method("seal", Options()), photo[:24, :32]
    first = method(image, 6)
    np.testing.assert_array_equal(method(image.copy(), 6), first)
    assert len(runs) == 1
    method(image, 6, Stages())
    assert len(runs) == 2
    changed = image.copy()
    changed[:8] = 0
    method(changed, 6)
    assert len(runs) == 3
    assert not np.array_equal(method(changed, 6), first)
    assert len(runs) == 3
