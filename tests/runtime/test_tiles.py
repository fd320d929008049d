"""Tiles: how they cut a working image, how far networks see, and that labels are those of the whole."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.paths import PHOTOS
from support.planes import normalise
from support.reduction import Reduction

from ainet import read_image
from ainet.runtime import pipeline
from ainet.runtime.plan import Plan, plan_image
from ainet.runtime.postprocess import assign
from ainet.runtime.tiles import margins_of, tiles
from ainet.spec import MEAN

AROUND = 12  # pixels that interpolation looks at beyond a tile, at most


@pytest.fixture(scope="module")
def photo() -> NDArray[np.uint8]:
    return read_image(PHOTOS / "chelsea.jpg")  # 300 x 451


@pytest.mark.parametrize(("height", "width"), [(2160, 3840), (4320, 7680), (3000, 4000), (2064, 2048), (300, 60_000), (60_000, 300)])
@pytest.mark.parametrize("network", ["ainet-lite", "ainet-public"])
def test_tiles_cover_the_image_within_the_limit(height: int, width: int, network: str) -> None:
    plan = plan_image(height, width, scale=1)
    size = plan.working_height, plan.working_width
    times, seen = np.zeros(size, np.uint8), 0
    for tile in tiles(plan, network):
        times[tile.inner] += 1
        shape = [part.stop - part.start for part in tile.outer]
        assert shape[0] * shape[1] <= plan.limit
        seen += shape[0] * shape[1]
        for outer, inner, within, whole in zip(*tile, size, strict=True):
            before, after = margins_of(network)
            assert inner.start - outer.start == within.start == min(inner.start, before)
            assert outer.stop == min(whole, inner.stop + after)
            assert within.stop - within.start == inner.stop - inner.start
    assert (times == 1).all()
    assert seen < (1.4 if network == "ainet-public" else 1.18) * size[0] * size[1]


@pytest.mark.slow
@pytest.mark.parametrize("output", ["logits", "labels"])
@pytest.mark.parametrize("size", [(704, 688), (2000, 240), (256, 1856)])
def test_tiles_give_the_labels_of_the_whole(size: tuple[int, int], output: str) -> None:
    height, width = size
    image = cv2.resize(read_image(PHOTOS / "coffee.jpg"), (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    plan = Plan(height // 2, width // 2, height, width, 15, 700)
    whole, tiled = Reduction(output), Reduction(output)
    expected = pipeline.run_pipeline(whole, image[None], plan)
    assert len(whole.sizes) == 1
    limited = replace(plan, limit=height * width // 2)
    np.testing.assert_array_equal(pipeline.run_pipeline(tiled, image[None].repeat(2, 0), limited), expected.repeat(2, 0))
    assert len(tiled.sizes) >= 4  # two images
    axis = 1 if output == "labels" else 2
    assert all(size[axis] * size[axis + 1] <= limited.limit for size in tiled.sizes)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ainet", "ainet-pnbor", "ainet-cpix", "ainet-public", "ainet-lite", "scn"])
def test_no_network_sees_beyond_the_margin_of_a_tile(name: str) -> None:
    torch = pytest.importorskip("torch")
    from ainet.training.networks import build

    torch.manual_seed(0)
    network, (before, after) = build(name).eval(), margins_of(name)
    image = torch.rand(1, 3, 32, 640) - 0.4
    low, high = 192, 448
    left, right = image.clone(), image.clone()
    left[..., :low] = torch.rand(1, 3, 32, low)
    right[..., high:] = torch.rand(1, 3, 32, 640 - high)
    for turn in (lambda x: x, lambda x: x.transpose(2, 3).contiguous()):
        with torch.inference_mode():
            expected, changed_left, changed_right = (turn(network(turn(x))) for x in (image, left, right))
        assert torch.equal(changed_left[..., low + before - AROUND :], expected[..., low + before - AROUND :])
        assert torch.equal(changed_right[..., : high - after + AROUND], expected[..., : high - after + AROUND])
        assert not torch.equal(changed_left[..., low : low + 64], expected[..., low : low + 64])
        assert not torch.equal(changed_right[..., high - 64 : high], expected[..., high - 64 : high])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ainet", "ainet-public", "scn"])
def test_tiles_of_a_network_give_the_ids_of_the_whole(photo: NDArray[np.uint8], name: str) -> None:
    """In double precision, where sums in another order change no arg-max."""
    torch = pytest.importorskip("torch")
    from ainet.training.networks import build

    torch.manual_seed(1)
    network = build(name).eval().double()

    class Exact(Reduction):
        def __init__(self):
            super().__init__(network=name)

        def scores(self, image):
            with torch.inference_mode():
                return network(torch.from_numpy(image).double()).float().numpy()

    strip = cv2.resize(photo, (640, 32), interpolation=cv2.INTER_AREA)
    for image in (strip, np.ascontiguousarray(strip.transpose(1, 0, 2))):
        tiled, whole = Exact(), Exact()
        size = image.shape[:2]
        ids = pipeline.ids_from_tiles(tiled, image, Plan(*size, *size, 0, 1, limit=32 * (sum(margins_of(name)) + 160)))
        assert len(tiled.sizes) >= 2
        np.testing.assert_array_equal(ids, assign(whole.run(normalise(image[None], MEAN)), *size)[0])
        assert len(np.unique(ids)) > 20
