"""Crops, flips and patch jitter: labels follow pixels, nothing is lost, nothing leaks."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from ainet.errors import ImageError, UsageError
from ainet.spec import MEAN
from ainet.training.augment import Batch, CropSampler
from ainet.training.datasets.resident import ResidentData
from ainet.training.jitter import JitterDraws, draw_jitter, jitter_map

SIZE = 48  # of the crops


@dataclass
class Coordinates:
    """An image whose pixel (y, x) has the colour (number, y, x), and a label that follows from these three."""

    number: int
    height: int
    width: int

    @property
    def image_id(self) -> str:
        return str(self.number)

    def image(self) -> NDArray[np.uint8]:
        y, x = np.mgrid[: self.height, : self.width]
        return np.stack((np.full_like(y, self.number), y, x), 2).astype(np.uint8)

    def segmentations(self) -> list[NDArray[np.uint16]]:
        """Two annotations with ids 0..6 and 0..4, so that the maps do not change in the data set."""
        y, x = np.mgrid[: self.height, : self.width]
        return [((y + 3 * x + self.number) % 7).astype(np.uint16), ((2 * y + x + self.number) % 5).astype(np.uint16)]


@pytest.fixture(scope="module")
def data() -> ResidentData:
    return ResidentData.load([Coordinates(0, 50, 90), Coordinates(1, 90, 50), Coordinates(2, SIZE, SIZE), Coordinates(3, 64, 64)])


def colours(batch: Batch) -> Tensor:
    """(B, S, S, 3) int64: number, y, x of each pixel in its image."""
    return ((batch.image + torch.tensor(MEAN).view(3, 1, 1)) * 255).round().long().permute(0, 2, 3, 1)


def expected_labels(sampler: CropSampler, iteration: int, pixels: Tensor) -> Tensor:
    number, y, x = pixels.unbind(3)
    labels = torch.stack(((y + 3 * x + number) % 7, (2 * y + x + number) % 5), 1)  # (B, 2, S, S)
    wanted = torch.from_numpy(sampler.chosen(iteration)[:, None] + np.arange(sampler.annotations)) % 2
    return torch.stack([crop[order] for crop, order in zip(labels, wanted, strict=True)])


def test_resident_data_holds_every_pixel(data: ResidentData) -> None:
    assert len(data) == 8 and data.classes == 7
    sample = Coordinates(1, 90, 50)
    n = data.names.index("1, annotation 1")
    size = sample.height * sample.width
    image = data.pixels[data.image_start[n] :][:size].numpy().reshape(90, 50, 3)
    label = data.labels[data.label_start[n] :][:size].numpy().reshape(90, 50)
    np.testing.assert_array_equal(image, sample.image())
    np.testing.assert_array_equal(label, sample.segmentations()[1])


def test_ids_become_dense() -> None:
    sample = Coordinates(0, SIZE, SIZE)
    plain = sample.segmentations()
    spread: Any = Coordinates(0, SIZE, SIZE)
    spread.segmentations = lambda: [labels * 900 + 17 for labels in plain]
    data = ResidentData.load([spread])
    assert data.classes == 7
    np.testing.assert_array_equal(data.labels[: SIZE * SIZE].numpy().reshape(SIZE, SIZE), plain[0])


@pytest.mark.parametrize("iteration", range(6))
@pytest.mark.parametrize("annotations", [1, 2, 3])  # of images that have two
def test_crops_and_flips_keep_label_and_neighbourhood(data: ResidentData, iteration: int, annotations: int) -> None:
    sampler = CropSampler(data, SIZE, batch_size=4, seed=3, annotations=annotations)
    batch = sampler.batch(iteration)
    assert batch.image.shape == (4, 3, SIZE, SIZE) and batch.image.is_contiguous(memory_format=torch.channels_last)
    pixels = colours(batch)
    assert torch.equal(pixels[:, 0, 0, 0], torch.from_numpy(sampler.chosen(iteration) // 2))
    assert torch.equal(batch.label, expected_labels(sampler, iteration, pixels))
    assert torch.equal(batch.label, batch.plain_label)
    for axis, channel in ((1, 1), (2, 2)):  # straight or flipped, without gaps
        steps = pixels[..., channel].diff(dim=axis).flatten(1)
        assert ((steps == 1).all(1) | (steps == -1).all(1)).all()


def test_all_places_and_flips_occur(data: ResidentData) -> None:
    sampler = CropSampler(data, SIZE, batch_size=8, seed=0)
    seen = set()
    for iteration in range(60):
        pixels = colours(sampler.batch(iteration))
        for crop in pixels[pixels[:, 0, 0, 0] == 0]:
            first, last = crop[0, 0], crop[-1, -1]
            seen.add((min(first[1], last[1]).item(), bool(first[1] < last[1]), bool(first[2] < last[2])))
    assert seen == {(top, down, right) for top in range(50 - SIZE + 1) for down in (True, False) for right in (True, False)}


def test_an_epoch_visits_every_annotation_once(data: ResidentData) -> None:
    sampler = CropSampler(data, SIZE, batch_size=3, seed=1)  # 8 annotations: two batches, two are left out
    epochs = [np.concatenate([sampler.chosen(2 * epoch), sampler.chosen(2 * epoch + 1)]) for epoch in range(20)]
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert set(np.concatenate(epochs)) == set(range(8))
    assert len({tuple(epoch) for epoch in epochs}) > 15


def test_batches_follow_from_seed_and_iteration_alone(data: ResidentData) -> None:
    used, fresh = (CropSampler(data, SIZE, 4, seed=5, jitter="paper") for _ in range(2))
    for iteration in range(3):
        used.batch(iteration)
    for own, other in zip(used.batch(3), fresh.batch(3), strict=True):
        assert torch.equal(own, other)
    assert not torch.equal(used.batch(3).image, used.batch(4).image)
    assert not torch.equal(CropSampler(data, SIZE, 4, seed=6).batch(3).image, CropSampler(data, SIZE, 4, seed=5).batch(3).image)


def test_processes_divide_a_batch(data: ResidentData) -> None:
    parts = [CropSampler(data, SIZE, 4, seed=5, rank=rank, count=2) for rank in (0, 1)]
    numbers = [colours(sampler.batch(1))[:, 0, 0, 0] for sampler in parts]
    assert [len(part) for part in numbers] == [2, 2]
    assert sorted(torch.cat(numbers).tolist()) == sorted((parts[0].chosen(1) // 2).tolist())


def test_data_that_do_not_fit(data: ResidentData) -> None:
    with pytest.raises(UsageError, match="0, annotation 0 is 50 x 90 pixels, smaller than the crop of 64"):
        CropSampler(data, 64, 2, seed=1)
    with pytest.raises(UsageError, match="8 annotations, fewer than one batch of 16"):
        CropSampler(data, SIZE, 16, seed=1)
    with pytest.raises(UsageError, match="divided evenly among 3 processes"):
        CropSampler(data, SIZE, 4, seed=1, count=3)
    with pytest.raises(UsageError, match="empty"):
        ResidentData.load([])
    bare: Any = Coordinates(7, SIZE, SIZE)
    bare.segmentations = list
    with pytest.raises(ImageError, match="image 7 has no annotation"):
        ResidentData.load([Coordinates(0, SIZE, SIZE), bare])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_jittered_labels_follow_pixels_and_nothing_leaks(seed: int) -> None:
    data = ResidentData.load([Coordinates(0, 50, 60), Coordinates(1, 60, 50)])
    plain, jittered = (CropSampler(data, SIZE, 4, seed, jitter, annotations=2) for jitter in ("off", "paper"))
    before, after = plain.batch(0), jittered.batch(0)
    assert torch.equal(before.label, after.plain_label)
    pixels, random = colours(after), after.label[:, 0] == data.classes
    assert torch.equal(after.label, expected_labels(jittered, 0, pixels).masked_fill(random[:, None], data.classes))
    assert set(random.flatten(1).sum(1).tolist()) <= {0, 256}  # the new label is the random patch's alone
    for crop, source, noise in zip(pixels, colours(before), random, strict=True):
        present = {tuple(pixel) for pixel in source.flatten(0, 1).tolist()}
        assert {tuple(pixel) for pixel in crop[~noise].tolist()} <= present  # from the crop itself


def test_public_jitter_has_one_of_two_patches_twice(data: ResidentData) -> None:
    repeated = {}
    for jitter in ("paper", "public"):
        sampler = CropSampler(data, SIZE, 8, seed=2, jitter=jitter)
        repeated[jitter] = set()
        for iteration in range(10):
            batch = sampler.batch(iteration)
            pixels, random = colours(batch), batch.label[:, 0] == data.classes
            assert torch.equal(batch.label[:, 0][~random], expected_labels(sampler, iteration, pixels)[:, 0][~random])
            whole = pixels[~random.flatten(1).any(1)]  # crops without a random patch, in which noise could hide a patch
            repeated[jitter] |= {SIZE**2 - len(crop.flatten(0, 1).unique(dim=0)) for crop in whole}
    assert repeated == {"paper": {0}, "public": {0, 256}}


def test_noise_and_boundary_patches_draw_from_streams_of_their_own(data: ResidentData) -> None:
    sampler = CropSampler(data, SIZE, 8, seed=2, jitter="paper")
    batch = sampler.batch(0)
    random = batch.label[:, 0] == data.classes
    patches = torch.randint(256, (8, SIZE, SIZE, 3), generator=sampler.generator(0), dtype=torch.uint8)
    assert 0 < (colours(batch)[random] == patches[random]).float().mean() < 0.02  # 1/256 by chance


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), crop=st.sampled_from([32, 48, 80]))
def test_shuffle_and_shift_only_move_pixels(seed: int, crop: int) -> None:
    draws = draw_jitter(np.random.default_rng(seed), 3, crop)
    source, random = jitter_map(draws, crop, "cpu")
    everything = torch.arange(crop * crop).expand(3, -1)
    assert torch.equal(source.flatten(1).sort(1).values, everything)
    assert random.flatten(1).sum(1).tolist() == [256 * used for used in draws.apply[:, 1]]


def one_draw(**changes: Any) -> JitterDraws:
    zero, corner = np.zeros(1, np.int64), np.zeros((1, 2), np.int64)
    draws = JitterDraws(np.zeros((1, 3), np.int64), corner, corner, corner, zero, zero, zero, zero + 16, zero + 1)
    return draws._replace(**{key: np.array([value], np.int64) for key, value in changes.items()})


def test_exchange_swaps_two_patches() -> None:
    plain = torch.arange(48 * 48).view(48, 48)
    source, _ = jitter_map(one_draw(apply=(1, 0, 0), first=(2, 3), second=(30, 20)), 48, "cpu")
    expected = plain.clone()
    expected[2:18, 3:19], expected[30:46, 20:36] = plain[30:46, 20:36], plain[2:18, 3:19]
    assert torch.equal(source[0], expected)
    public, _ = jitter_map(one_draw(apply=(1, 0, 0), first=(2, 3), second=(30, 20)), 48, "cpu", public=True)
    expected[30:46, 20:36] = plain[30:46, 20:36]
    assert torch.equal(public[0], expected)


@pytest.mark.parametrize("offset", [1, -1, 16, -16, 7])
def test_shift_rolls_a_strip(offset: int) -> None:
    plain = torch.arange(48 * 48).view(48, 48)
    strip = {"apply": (0, 0, 1), "across": 5, "start": 10, "length": 30, "offset": offset}
    across, _ = jitter_map(one_draw(**strip), 48, "cpu")
    expected = plain.clone()
    expected[5:21, 10:40] = plain[5:21, 10:40].roll(offset, 1)
    assert torch.equal(across[0], expected)
    down, _ = jitter_map(one_draw(vertical=1, **strip), 48, "cpu")
    assert torch.equal(down[0], jitter_transposed(expected))


def jitter_transposed(source: Tensor) -> Tensor:
    """The same change with rows and columns exchanged."""
    y, x = source // 48, source % 48
    return (x * 48 + y).T


def test_draws_stay_inside_and_cover_the_range() -> None:
    draws = draw_jitter(np.random.default_rng(0), 4000, 48)
    assert not (np.abs(draws.first - draws.second) < 16).all(1).any()
    for corner in (draws.first, draws.second, draws.noise):
        assert corner.min() == 0 and corner.max() == 32
    assert (draws.start + draws.length <= 48).all() and draws.length.min() == 16 and draws.length.max() == 48
    assert set(draws.offset) == set(range(-16, 17)) - {0}
    assert np.abs(draws.apply.mean(0) - 0.5).max() < 0.05
