"""Exact counts of images: hard images, masks, given borders, the hierarchy of an image, and what cannot be."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS

import ainet
from ainet.errors import ImageError, UsageError
from ainet.metrics import compactness
from ainet.runtime.postprocess import enforce_connectivity
from ainet.segmenter import Segmenter

SHAPE = (48, 64)


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return ainet.read_image(PHOTOS / "chelsea.jpg")[100:148, 100:164]


@pytest.fixture(scope="module")
def mask() -> NDArray[np.bool_]:
    """A disc and a square apart from it."""
    y, x = np.indices(SHAPE)
    return (np.hypot(y - 22, x - 20) < 15) | ((y > 30) & (x > 44))


def assert_exact(labels: NDArray[np.int32], count: int) -> None:
    assert labels.max() + 1 == count
    np.testing.assert_array_equal(labels, enforce_connectivity(labels, 1, labels.size))


@pytest.mark.parametrize("kind", ["one colour", "noise", "checkerboard"])
@pytest.mark.parametrize("count", [1, 2, 100, 48 * 64 // 4])
def test_any_image_gives_any_count(segmenter: Segmenter, kind: str, count: int) -> None:
    y, x = np.indices(SHAPE)
    images = {
        "one colour": np.full(SHAPE, 128, np.uint8),
        "noise": np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8),
        "checkerboard": ((y + x) % 2 * 255).astype(np.uint8),
    }
    assert_exact(segmenter(images[kind], count), count)


def test_smallest_image(segmenter: Segmenter) -> None:
    for count in (1, 5, 64):
        assert_exact(segmenter(np.random.default_rng(1).integers(0, 256, (16, 16), dtype=np.uint8), count), count)


def test_batches_and_lists(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    batch = np.stack([photo, photo[::-1]])
    labels = segmenter(batch, 20)
    for one, image in zip(labels, batch, strict=True):
        assert_exact(one, 20)
        np.testing.assert_array_equal(one, segmenter(image, 20))


def test_compact_regions(segmenter: Segmenter) -> None:
    image = ainet.read_image(PHOTOS / "chelsea.jpg")[::2, ::2]
    for quality in ("best", "fast"):
        usual, compact = (segmenter(image, 60, quality=quality, compact=compact) for compact in (False, True))
        assert compactness(compact) > compactness(usual) + 0.01
    assert_exact(compact := segmenter(image, 60, compact=True), 60)
    np.testing.assert_array_equal(segmenter.hierarchy(image, 60, compact=True).cut(60), compact)
    with pytest.raises(UsageError, match="protocol='public'"):
        segmenter(np.zeros((321, 481, 3), np.uint8), protocol="public", compact=True)


def test_hierarchy_of_an_image(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    tree = segmenter.hierarchy(photo, 30)
    assert tree.max_segments >= 30
    np.testing.assert_array_equal(tree.cut(30), segmenter(photo, 30))
    for count in (1, 7, 30):
        assert_exact(tree.cut(count), count)
    assert ainet.hierarchy(photo, 30).max_segments >= 30


def check_inside(labels: NDArray[np.int32], mask: NDArray[np.bool_], count: int) -> None:
    np.testing.assert_array_equal(labels == 0, ~mask)
    np.testing.assert_array_equal(np.unique(labels[mask]), np.arange(1, count + 1))
    pieces = enforce_connectivity(labels, 1, labels.size)
    assert len(np.unique(pieces[mask])) == count


@pytest.mark.parametrize("count", [2, 3, 40, 150])
def test_mask(segmenter: Segmenter, photo: NDArray[np.uint8], mask: NDArray[np.bool_], count: int) -> None:
    check_inside(segmenter(photo, count, mask=mask), mask, count)


def test_masks_of_other_kinds(segmenter: Segmenter, photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    expected = segmenter(photo, 12, mask=mask)
    with_alpha = np.dstack([photo, np.where(mask, 1, 0).astype(np.uint8)])
    np.testing.assert_array_equal(segmenter(with_alpha, 12, mask="alpha"), expected)
    hidden = np.ma.MaskedArray(photo, np.repeat(~mask[..., None], 3, 2))
    np.testing.assert_array_equal(segmenter(hidden, 12), expected)
    np.testing.assert_array_equal(segmenter(photo, 12, mask=mask, start_label=5), np.where(mask, expected + 4, 0))
    np.testing.assert_array_equal(segmenter(with_alpha, 12), segmenter(photo, 12))  # alpha counts where it is asked for


@pytest.mark.parametrize("options", [{"quality": "fast"}, {"scale": 1}, {"mask": np.ones(SHAPE, bool)}])
def test_the_mask_of_an_image_is_never_passed_over(
    segmenter: Segmenter, photo: NDArray[np.uint8], mask: NDArray[np.bool_], options: dict[str, Any]
) -> None:
    hidden = np.ma.MaskedArray(photo, np.repeat(~mask[..., None], 3, 2))
    with pytest.raises(UsageError, match="mask"):
        segmenter(hidden, 12, **options)
    with pytest.raises(UsageError, match="mask"):
        segmenter([photo, hidden], 12, **options)
    np.testing.assert_array_equal(segmenter(np.ma.MaskedArray(photo, False), 12), segmenter(photo, 12))  # one that hides nothing


def test_specks(segmenter: Segmenter, photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    speckled = mask.copy()
    speckled[2, 2] = speckled[2, 60] = True
    check_inside(segmenter(photo, 4, mask=speckled), speckled, 4)
    with pytest.raises(UsageError, match="choose 4 to"):
        segmenter(photo, 3, mask=speckled)


@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_mask_of_few_pixels(segmenter: Segmenter, photo: NDArray[np.uint8], size: int) -> None:
    few = np.zeros(SHAPE, bool)
    few[20, 30 : 30 + size] = True
    check_inside(segmenter(photo, 1, mask=few), few, 1)
    with pytest.raises(UsageError, match=f"n_segments=2 is out of range: choose 1, .* {size} "):
        segmenter(photo, 2, mask=few)


def test_a_mask_of_specks_alone(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    """More pieces than a quarter of the pixels inside: one count is left."""
    specks = np.zeros(SHAPE, bool)
    specks[::8, ::8] = True
    check_inside(segmenter(photo, 48, mask=specks), specks, 48)
    for count in (12, 47, 49):
        with pytest.raises(UsageError, match=r"choose 48, .* 48 separate pieces"):
            segmenter(photo, count, mask=specks)


def test_borders_that_leave_many_pieces(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    y, x = np.indices(SHAPE)
    within = y // 2 * 100 + x // 2 - 1000  # 768 squares, a quarter of the pixels
    labels = segmenter(photo, 768, within=within)
    assert_exact(labels, 768)
    np.testing.assert_array_equal(labels, enforce_connectivity(within, 1, within.size))
    with pytest.raises(UsageError, match=r"choose 768, as .* 768 separate pieces"):
        segmenter(photo, 100, within=within)


def test_within(segmenter: Segmenter, photo: NDArray[np.uint8]) -> None:
    y, x = np.indices(SHAPE)
    within = (y // 20 * 7 - x // 30).astype(np.int16)
    labels = segmenter(photo, 50, within=within)
    assert_exact(labels, 50)
    for label in range(50):
        assert len(np.unique(within[labels == label])) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ({"n_segments": 0}, UsageError, "n_segments=0"),
        ({"n_segments": 2.5}, UsageError, "2.5"),
        ({"n_segments": 769}, UsageError, "768"),
        ({"n_segments": 300, "mask": "inside"}, UsageError, "inside the mask"),
        ({"mask": np.ones((48, 63), bool)}, UsageError, r"\(48, 63\)"),
        ({"mask": np.zeros(SHAPE, bool)}, UsageError, "no pixel"),
        ({"mask": np.ones(SHAPE, np.uint8)}, UsageError, "uint8"),
        ({"mask": "alpha"}, ImageError, "alpha"),
        ({"mask": np.ones(SHAPE, bool), "start_label": 0}, UsageError, "start_label=0"),
        ({"mask": np.ones(SHAPE, bool), "quality": "fast"}, UsageError, "quality"),
        ({"within": np.zeros(SHAPE), "n_segments": 9}, UsageError, "float64"),
        ({"quality": "good"}, UsageError, "'good'"),
        ({"quality": "best", "scale": 1.0}, UsageError, "scale"),
    ],
)
def test_bad_input(
    segmenter: Segmenter, photo: NDArray[np.uint8], mask: NDArray[np.bool_], arguments: dict[str, Any], error: type, word: str
) -> None:
    if isinstance(arguments.get("mask"), str) and arguments["mask"] == "inside":
        arguments = {**arguments, "mask": mask}
    with pytest.raises(error, match=word):
        segmenter(photo, **{"n_segments": 20, **arguments})


@pytest.mark.parametrize("nothing", [[], ()])
def test_an_empty_list(segmenter: Segmenter, nothing: Any) -> None:
    for call in (segmenter, segmenter.hierarchy, segmenter.association):
        with pytest.raises(ImageError, match="empty list"):
            call(nothing)


def test_masks_go_with_one_image(segmenter: Segmenter, photo: NDArray[np.uint8], mask: NDArray[np.bool_]) -> None:
    for images in (np.stack([photo, photo]), [photo, photo]):
        with pytest.raises(UsageError, match="one image"):
            segmenter(images, 20, mask=mask)
