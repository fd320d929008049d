"""Crops of any scale, orientation and colour: pixels against SciPy's interpolation, labels where their pixels are."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ainet.spec import MEAN
from ainet.training.augment import CropSampler
from ainet.training.datasets.resident import ResidentData
from ainet.training.zoom import Places, Zoom, change_colours, draw_zoom, interpolated, nearest, places

CROP = 48
HEIGHT, WIDTH = 60, 70


class Ramp:
    """The colour is (0, y, x); the label is the block of 4 x 5 pixels."""

    image_id = "ramp"

    def image(self) -> np.ndarray:
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        return np.stack((np.zeros_like(y), y, x), 2).astype(np.uint8)

    def segmentations(self) -> list[np.ndarray]:
        y, x = np.mgrid[:HEIGHT, :WIDTH]
        return [blocks(y, x).astype(np.uint16)]


def blocks(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return y // 4 * 14 + x // 5


@pytest.fixture(scope="module")
def data() -> ResidentData:
    return ResidentData.load([Ramp()] * 4)


def test_pixels_and_labels_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    y, x = rng.uniform(-2 * HEIGHT, 3 * HEIGHT, (2, 1, CROP, CROP))  # far outside too
    where = Places(torch.from_numpy(y), torch.from_numpy(x))
    height, width, start = (torch.full((1, 1, 1), value) for value in (HEIGHT, WIDTH, 0))
    found = interpolated(torch.from_numpy(image.reshape(-1, 3)), start, where, height, width)[0].numpy()
    for channel in range(3):
        expected = ndimage.map_coordinates(image[..., channel].astype(np.float64), (y[0], x[0]), order=1, mode="reflect")
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-3)
    labels = np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
    place = nearest(where.y, height) * width + nearest(where.x, width)
    expected = ndimage.map_coordinates(labels, (y[0], x[0]), order=0, mode="reflect")
    np.testing.assert_array_equal(place[0].numpy(), expected)


def test_a_factor_of_two_is_that_of_opencv() -> None:
    cv2 = pytest.importorskip("cv2")
    image = np.random.default_rng(1).integers(0, 256, (CROP // 2, CROP // 2, 3), dtype=np.uint8)
    zoom = Zoom(np.array([2.0]), np.zeros(1), np.zeros(1), np.array([False]))
    where = places(zoom, np.zeros((2, 1), bool), CROP, torch.device("cpu"))
    side = torch.full((1, 1, 1), CROP // 2)
    found = interpolated(torch.from_numpy(image.reshape(-1, 3)), torch.zeros(1, 1, 1, dtype=torch.long), where, side, side)
    np.testing.assert_allclose(
        found[0].numpy(), cv2.resize(image.astype(np.float32), (CROP, CROP), interpolation=cv2.INTER_LINEAR), atol=1e-3
    )


@pytest.mark.parametrize("iteration", range(8))
def test_labels_are_where_their_pixels_are(data: ResidentData, iteration: int) -> None:
    batch = CropSampler(data, CROP, 4, seed=2, scales=(0.4, 1.8)).batch(iteration)
    assert batch.image.shape == (4, 3, CROP, CROP) and batch.image.is_contiguous(memory_format=torch.channels_last)
    _, y, x = ((batch.image + torch.tensor(MEAN).view(3, 1, 1)) * 255).double().unbind(1)
    inside = (y > 1) & (y < HEIGHT - 2) & (x > 1) & (x < WIDTH - 2)  # beyond, the mirrored image hides where a pixel is
    clear = inside & ((y % 1 - 0.5).abs() > 1e-3) & ((x % 1 - 0.5).abs() > 1e-3)
    expected = blocks(y.round().long().numpy(), x.round().long().numpy())
    np.testing.assert_array_equal(batch.label[:, 0].numpy()[clear], expected[clear])
    assert clear.double().mean() > 0.3


def test_factors_windows_and_orientations() -> None:
    height, width = np.full(2000, HEIGHT), np.full(2000, WIDTH)
    zoom = draw_zoom(np.random.default_rng(3), height, width, CROP, 0.5, 1.5)
    assert zoom.factor.min() == 0.5 and zoom.factor.max() == 1.5
    assert 0.2 < (zoom.factor == 1).mean() < 0.3 and 0.45 < zoom.transposed.mean() < 0.55
    fits = CROP / zoom.factor <= HEIGHT
    assert (zoom.top[fits] >= 0).all() and (zoom.top[fits] + CROP / zoom.factor[fits] <= HEIGHT + 1e-9).all()
    plain = zoom.factor == 1
    np.testing.assert_array_equal(zoom.left[plain], np.round(zoom.left[plain]))
    assert set(zoom.top[plain]) == set(range(HEIGHT - CROP + 1))


def test_flips_and_the_transpose_are_those_of_numpy() -> None:
    straight, turned = (Zoom(np.ones(1), np.full(1, 3.0), np.full(1, 5.0), np.array([on])) for on in (False, True))
    none, both = np.zeros((2, 1), bool), np.ones((2, 1), bool)
    device = torch.device("cpu")
    plain, flipped, transposed = (places(*how, CROP, device) for how in ((straight, none), (straight, both), (turned, none)))
    y, x = np.mgrid[3 : 3 + CROP, 5 : 5 + CROP].astype(np.float64)
    for found, expected in ((plain, (y, x)), (flipped, (y[::-1], x[:, ::-1])), (transposed, (y.T, x.T))):
        np.testing.assert_array_equal(found.y[0].expand(CROP, CROP).numpy(), expected[0])
        np.testing.assert_array_equal(found.x[0].expand(CROP, CROP).numpy(), expected[1])


def test_colours() -> None:
    image = torch.rand(2, 5, 4, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(change_colours(image, torch.zeros(2, 4)), image)
    amount = torch.tensor([[0.1, -0.2, 0.3, 0.2], [0.0, 0.0, 0.0, -0.1]])
    expected = np.clip(image.numpy() * np.exp(amount[:, None, None, :3].numpy()), 0, 1) ** np.exp(amount[:, None, None, 3:].numpy())
    np.testing.assert_allclose(change_colours(image, amount).numpy(), expected, rtol=1e-5)
    sampler = CropSampler(ResidentData.load([Ramp()] * 4), CROP, 4, seed=2, scales=(1, 1.2), colour=0.1)
    assert not torch.equal(sampler.batch(0).image, CropSampler(sampler.data, CROP, 4, seed=2, scales=(1, 1.2)).batch(0).image)
