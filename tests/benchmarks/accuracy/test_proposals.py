import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS

from ainet import read_image
from ainet.benchmarks.accuracy.proposals import Border, Region, lab, merge, plain_similarity, proposal_asa
from ainet.errors import UsageError
from ainet.metrics.measures import achievable_segmentation_accuracy
from ainet.runtime.postprocess import enforce_connectivity


def grid(height: int, width: int, side: int) -> NDArray[np.int32]:
    y, x = np.indices((height, width), np.int32) // side
    return y * (width // side) + x


@pytest.fixture
def scene() -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """(48, 64, 3): a red and a green rectangle before blue, all noisy; and the three regions."""
    truth = np.zeros((48, 64), np.int32)
    truth[8:32, 8:24] = 1
    truth[16:40, 32:56] = 2
    colours = np.array([(40, 60, 160), (190, 50, 40), (60, 160, 60)])
    noise = np.random.default_rng(0).normal(0, 6, (48, 64, 3))
    return np.clip(colours[truth] + noise, 0, 255).astype(np.uint8), truth


def test_plain_regions_are_found(scene: tuple[NDArray[np.uint8], NDArray[np.int32]]) -> None:
    image, truth = scene
    proposals = merge(lab(image), grid(48, 64, 8), [48, 3, 10, 1])
    assert proposal_asa(proposals[3], truth) == 1.0
    assert len(np.unique(proposals[3])) == 3
    np.testing.assert_array_equal(proposals[48], grid(48, 64, 8))
    assert not proposals[1].any()


def test_a_hierarchy_of_connected_unions() -> None:
    image = read_image(PHOTOS / "chelsea.jpg")[:96, 100:228]
    superpixels = grid(96, 128, 8)
    proposals = merge(lab(image), superpixels, range(1, 193))
    for count, regions in proposals.items():
        assert regions.dtype == np.int32
        assert len(np.unique(regions)) == regions.max() + 1 == count
        assert enforce_connectivity(regions, 1, regions.size).max() + 1 == count  # each one 4-connected
        if count > 1:  # a union of two regions of the next
            assert len(np.unique(np.stack([regions, proposals[count - 1]]).reshape(2, -1), axis=1)[0]) == count


def test_the_most_similar_neighbours_are_merged_first() -> None:
    labels = np.array([[0, 0, 1, 2, 2]])
    features = np.array([[[0.0], [0.0], [4.0], [10.0], [10.0]]])
    asked: list[tuple[float, float, Border]] = []

    def nearest(first: Region, second: Region, border: Border) -> float:
        asked.append((float(first.mean[0]), float(second.mean[0]), border))
        return -abs(float(first.mean[0] - second.mean[0]))

    np.testing.assert_array_equal(merge(features, labels, [2], nearest)[2], [[0, 0, 0, 1, 1]])
    assert asked[:2] == [(0, 4, Border(1, 4.0)), (4, 10, Border(1, 6.0))]
    assert {round(value, 6) for value in asked[2][:2]} == {10, round(4 / 3, 6)}  # the mean of three pixels
    assert len(asked) == 3


def test_similarity_falls_with_colour_contrast_and_size() -> None:
    region, other = Region(100, np.zeros(3)), Region(400, np.array([3.0, 0, 4.0]))
    base = plain_similarity(region, other, Border(10, 5.0))
    assert base == pytest.approx(-(0.5 + 0.5) * 10)
    assert plain_similarity(region, other, Border(10, 6.0)) < base
    assert plain_similarity(Region(400, region.mean), other, Border(10, 5.0)) == pytest.approx(2 * base)
    assert plain_similarity(region, region, Border(10, 0.0)) == 0


def test_asa_of_proposals_is_that_of_their_map() -> None:
    proposals, truth = np.array([[0, 0, 1, 1]]), np.array([[0, 1, 1, 1]])
    assert proposal_asa(proposals, truth) == achievable_segmentation_accuracy(proposals, truth) == 0.75


def test_counts_and_sizes_out_of_range() -> None:
    features, labels = np.zeros((4, 4, 3)), grid(4, 4, 2)
    with pytest.raises(UsageError, match="cannot merge 4 superpixels into 5 regions; choose 1 to 4"):
        merge(features, labels, [2, 5])
    with pytest.raises(UsageError, match="of one size"):
        merge(features[:3], labels, [2])
