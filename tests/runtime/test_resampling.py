"""The resize to the working size: its definition, OpenCV, any number of threads, parts of the result."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.planes import normalise

from ainet.errors import UsageError
from ainet.runtime.plan import plan_public, plan_scale, plan_segments
from ainet.runtime.postprocess import network_planes, resize
from ainet.runtime.resampling import make_taps, plan_tables, resize_tables
from ainet.spec import MEAN

SIZES = [
    ((321, 481), (320, 480)),
    ((37, 53), (96, 160)),
    ((16, 16), (160, 112)),
    ((1, 1), (16, 16)),
    ((97, 61), (48, 32)),
    ((45, 70), (64, 96)),
]


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Noise of which half are 0 and 255, so that bicubic overshoots both ends of the range."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    image[: height // 2] = rng.choice(np.array([0, 255], np.uint8), image[: height // 2].shape)
    return image


def bicubic(sources: int, targets: int) -> NDArray[np.float64]:
    """(targets, sources): the cubic of Keys with a = -0.75, written out."""
    centre = (np.arange(targets) + 0.5) * sources / targets - 0.5
    weights = np.zeros((targets, sources))
    for row, c in enumerate(centre):
        for source in range(int(np.floor(c)) - 1, int(np.floor(c)) + 3):
            t, a = abs(c - source), -0.75
            weight = (a + 2) * t**3 - (a + 3) * t**2 + 1 if t <= 1 else a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
            weights[row, np.clip(source, 0, sources - 1)] += weight
    return weights


def area(sources: int, targets: int) -> NDArray[np.float64]:
    """(targets, sources): how much of each source a target covers."""
    ends = np.arange(targets + 1) * sources / targets
    edges = np.arange(sources + 1)
    covered = np.minimum(edges[1:], ends[1:, None]) - np.maximum(edges[:-1], ends[:-1, None])
    return np.maximum(covered, 0) * targets / sources


@pytest.mark.parametrize(("size", "out"), SIZES)
def test_bicubic_equals_its_definition(size: tuple[int, int], out: tuple[int, int]) -> None:
    """In double precision; where the exact value is half-way, single precision may fall to either side."""
    image = picture(*size)
    exact = np.einsum("yY,xX,YXc->yxc", bicubic(size[0], out[0]), bicubic(size[1], out[1]), image, optimize=True).clip(0, 255)
    assert np.abs(resize(image[None], resize_tables(*size, *out))[0] - exact).max() < 0.5 + 1e-4


@pytest.mark.parametrize(("size", "out"), [((321, 481), (64, 96)), ((200, 100), (16, 16)), ((1000, 37), (48, 16)), ((65, 65), (16, 16))])
def test_area_equals_its_definition_and_opencv(size: tuple[int, int], out: tuple[int, int]) -> None:
    image = picture(*size)
    found = resize(image[None], resize_tables(*size, *out, averages=True))[0]
    exact = np.einsum("yY,xX,YXc->yxc", area(size[0], out[0]), area(size[1], out[1]), image, optimize=True)
    assert np.abs(found - exact).max() < 0.5 + 1e-4
    assert np.abs(found.astype(int) - cv2.resize(image, out[::-1], interpolation=cv2.INTER_AREA)).max() <= 1


@pytest.mark.parametrize(("size", "out"), SIZES)
def test_bicubic_is_within_one_level_of_opencv(size: tuple[int, int], out: tuple[int, int]) -> None:
    image = picture(*size)
    expected = cv2.resize(image, out[::-1], interpolation=cv2.INTER_CUBIC).astype(int)
    found = resize(image[None], resize_tables(*size, *out))[0]
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.9  # 0.9999 where OpenCV uses Intel's library; its own weights have 11 bits


def test_weights_add_up_to_one() -> None:
    for sources, targets in ((481, 480), (16, 160), (1, 16), (5000, 384), (96, 16)):
        assert make_taps(sources, targets).weights.sum(1) == pytest.approx(1, abs=1e-6)
        assert make_taps(max(sources, targets), targets, averages=True).weights.sum(1) == pytest.approx(1, abs=1e-6)
        assert make_taps(max(sources, targets), targets, averages=True).weights.shape[1] % 4 == 0


def test_planes_are_normalised_bytes() -> None:
    images = np.stack([picture(40, 56, seed) for seed in range(3)])
    for size in ((40, 56), (48, 80)):
        tables = resize_tables(40, 56, *size)
        planes = network_planes(images, tables, MEAN)
        np.testing.assert_array_equal(planes.view(np.int32), normalise(resize(images, tables), MEAN).view(np.int32))


def test_an_image_of_the_working_size_stays_as_it_is() -> None:
    image = picture(48, 64)
    np.testing.assert_array_equal(resize(image[None], resize_tables(48, 64, 48, 64))[0], image)


def test_threads_and_parts_give_equal_results() -> None:
    image = picture(300, 420)
    rows, columns = resize_tables(300, 420, 400, 560)
    expected = resize(image[None], (rows, columns), threads=1)
    planes = network_planes(image[None], (rows, columns), MEAN, threads=1)
    for threads in (0, 2, 3, 7):
        np.testing.assert_array_equal(resize(image[None], (rows, columns), threads), expected)
        np.testing.assert_array_equal(network_planes(image[None], (rows, columns), MEAN, threads), planes)
    part = resize(image[None], (rows.part(slice(96, 208)), columns.part(slice(240, 560))))
    np.testing.assert_array_equal(part, expected[:, 96:208, 240:560])


def test_the_plan_says_how() -> None:
    assert not plan_segments(321, 481, 600).averages
    assert plan_segments(3000, 4000, 600).averages
    assert not plan_segments(3000, 4000, 12000).averages
    assert plan_scale(3000, 4000, 0.2).averages
    assert not plan_public(321, 481, 0.2).averages  # the public code takes bicubic
    plan = plan_segments(3000, 4000, 600)
    assert plan_tables(plan)[0].weights.shape == (plan.working_height, 12)
    assert plan_tables(plan_segments(321, 481, 600))[1].weights.shape == (480, 4)


def test_stripes_do_not_alias() -> None:
    """One column of 255 in three becomes a third of it; bicubic would show some of them."""
    image = np.zeros((640, 960, 3), np.uint8)
    image[:, ::3] = 255
    plan = plan_segments(640, 960, 24)
    averaged = resize(image[None], plan_tables(plan))[0]
    assert np.abs(averaged.astype(int) - 85).max() <= 17
    assert np.ptp(resize(image[None], resize_tables(640, 960, plan.working_height, plan.working_width))[0].astype(int)) > 100


def test_wrong_images() -> None:
    tables = resize_tables(16, 16, 16, 16)
    with pytest.raises(UsageError, match="uint8"):
        resize(np.zeros((1, 16, 16, 3)), tables)
    with pytest.raises(UsageError, match=r"\(1, 16, 16, 4\)"):
        network_planes(np.zeros((1, 16, 16, 4), np.uint8), tables, MEAN)
    with pytest.raises(UsageError, match="three values"):
        network_planes(np.zeros((1, 16, 16, 3), np.uint8), tables, (0.5, 0.5))
