"""What `stretch=` and `bands=` may be, and where the result of a large image lies."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

import ainet
from ainet.errors import UsageError
from ainet.images import read_pages
from ainet.stretch import to_rgb

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (40, 50, 3), np.uint8)
DEEP = RNG.integers(0, 4096, (40, 50, 3), np.uint16)


@pytest.mark.parametrize(
    "stretch",
    ["max", "1", "5,1", "1,2,3", "nan,1", (1,), (3, 3), 4, ("a", "b"), object(), {0, 4095}, frozenset({0, 1}), {0: 1, 1: 2}, b"\x00\x05"],
)
def test_stretches_that_are_none(stretch: Any) -> None:
    with pytest.raises(UsageError, match=r"stretch must be|is no range"):
        ainet.read_image(PICTURE, stretch=stretch)


@pytest.mark.parametrize(
    "bands", ["", "1,2", "0", (0, 1, 2), (1.5,), "r,g,b", 3, [-1], (1, 2, 3, 4), {3, 2, 1}, {1: 2}, {1: 1, 2: 1, 3: 1}.keys(), b"\x01"]
)
def test_bands_that_are_none(bands: Any) -> None:
    with pytest.raises(UsageError, match="bands must be"):
        ainet.read_image(PICTURE, bands=bands)


def test_what_can_be_gone_through_once(tmp_path: Path) -> None:
    expected = ainet.read_image(DEEP, stretch=(0, 4095), bands=(3, 2, 1))
    found = ainet.read_image(DEEP, stretch=iter((0, 4095)), bands=iter([3, 2, 1]))  # type: ignore[arg-type]
    np.testing.assert_array_equal(found, expected)
    tifffile.imwrite(tmp_path / "x.tif", np.stack([DEEP, DEEP]), photometric="rgb")
    pages = dict(read_pages(tmp_path / "x.tif", stretch=iter((0, 4095)), bands=iter([3, 2, 1])))  # type: ignore[arg-type]
    np.testing.assert_equal(pages, {"-0": expected, "-1": expected})


def lies_on_disk(array: NDArray[Any]) -> bool:
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)


def test_the_levels_of_a_large_image_lie_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    values = PICTURE / 255
    assert not lies_on_disk(to_rgb(values, "small"))
    monkeypatch.setattr("ainet.scratch.LARGE", PICTURE.size - 1)
    image = to_rgb(values, "large")
    assert lies_on_disk(image)
    np.testing.assert_array_equal(image, PICTURE)
