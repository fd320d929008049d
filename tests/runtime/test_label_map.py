"""Numbers and sums of label maps against numpy."""

import numpy as np
import pytest

from ainet.runtime.label_map import number_labels, region_sums


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u2", "i4", ">u4", "i8", "u8"])
def test_numbers_are_those_of_numpy(dtype: str) -> None:
    limits = np.iinfo(dtype)
    few = np.array([0, limits.max, limits.min, 3], dtype)
    rng = np.random.default_rng(0)
    many = rng.integers(limits.min, limits.max, (70, 90), np.dtype(dtype).newbyteorder("=")).astype(dtype)
    for labels in (rng.choice(few, (20, 30)), many):
        for view in (labels, labels[::2, ::-1]):
            values, numbers = number_labels(view)
            expected, inverse = np.unique(view, return_inverse=True)
            np.testing.assert_array_equal(values, expected)
            assert values.dtype == np.dtype(dtype).newbyteorder("=")
            assert numbers.dtype == np.int32
            np.testing.assert_array_equal(numbers, inverse.reshape(view.shape))


def test_sums_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    numbers = number_labels(rng.integers(0, 40, (30, 50)))[1]
    image = rng.integers(0, 256, (30, 50, 3), dtype=np.uint8)
    rows, columns = np.indices(numbers.shape)
    sums = region_sums(numbers, 40, image)
    for region in range(40):
        inside = numbers == region
        assert sums.area[region] == inside.sum()
        assert sums.places[region].tolist() == [rows[inside].sum(), columns[inside].sum()]
        assert sums.colours[region].tolist() == image[inside].sum(0).tolist()
        assert sums.boxes[region].tolist() == [
            rows[inside].min(),
            columns[inside].min(),
            rows[inside].max() + 1,
            columns[inside].max() + 1,
        ]
    assert not region_sums(numbers, 40).colours.any()


def test_numbers_and_images_that_do_not_fit() -> None:
    numbers = np.array([[0, 1], [1, 2]], np.int32)
    assert region_sums(numbers, 3).area.tolist() == [1, 2, 1]
    for wrong, regions in ((numbers, 2), (numbers, 0), (numbers, -1), (numbers - 1, 3)):
        with pytest.raises(ValueError, match="regions"):
            region_sums(wrong, regions)
    with pytest.raises(ValueError, match="size"):
        region_sums(numbers, 3, np.zeros((2, 3, 3), np.uint8))
