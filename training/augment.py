"""Training batches: random crops, flips and patch jitter of a resident data set, drawn on the host, cut on the device.

Every random number of a batch follows from (seed, iteration), so a run that was stopped draws the same batches when
it goes on, and no state of a random generator is kept. The recipe is the public one of SCN and AINet: crops of
208 x 208, both flips with probability 1/2, no change of scale or colour; those are in `zoom`.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.errors import UsageError
from ainet.spec import MEAN
from ainet.training.datasets.resident import ResidentData
from ainet.training.jitter import Jitter, draw_jitter, jitter_map
from ainet.training.zoom import change_colours, draw_zoom, interpolated, nearest, places


class Batch(NamedTuple):
    """image: (B, 3, S, S) float32, normalised, channels_last; label: (B, A, S, S) int64 ids by A annotations of the image.

    plain_label is the label before patch jitter.
    """

    image: Tensor
    label: Tensor
    plain_label: Tensor


class CropSampler:
    """Gives the batch of an iteration: `sampler.batch(7)`.

    An epoch visits every annotation once in random order; the last incomplete batch of an epoch is left out. With `annotations` > 1
    a crop also gets the next annotations of its image; after the last comes the first again, so that an image with fewer repeats some.
    Of several processes, each takes its part of a batch: `rank` is its number, `count` how many there are. With `scales` other than
    (1, 1), and in place of patch jitter, crops have factors in that range, are transposed with probability 1/2, and change their colours
    by `colour`, the standard deviation of the logarithms.

    Raises:
        UsageError: an image is smaller than the crop, or the data set smaller than a batch.
    """

    def __init__(
        self,
        data: ResidentData,
        crop: int,
        batch_size: int,
        seed: int,
        jitter: Jitter = "off",
        annotations: int = 1,
        rank: int = 0,
        count: int = 1,
        scales: tuple[float, float] = (1, 1),
        colour: float = 0,
    ) -> None:
        small = np.flatnonzero(np.minimum(data.height, data.width) < crop)
        if small.size:
            n = small[0]
            size = f"{data.height[n]} x {data.width[n]}"
            raise UsageError(f"{data.names[n]} is {size} pixels, smaller than the crop of {crop}; use a recipe with a smaller crop")
        if len(data) < batch_size:
            raise UsageError(f"the data set has {len(data)} annotations, fewer than one batch of {batch_size}")
        if batch_size % count:
            raise UsageError(f"the batch of {batch_size} cannot be divided evenly among {count} processes")
        self.data, self.crop, self.batch_size, self.seed, self.jitter = data, crop, batch_size, seed, jitter
        self.annotations, self.rank, self.count, self.scales, self.colour = annotations, rank, count, scales, colour
        self._mean = torch.tensor(MEAN, device=data.pixels.device)

    @property
    def classes(self) -> int:
        """Upper bound of the ids: those of the data set and, with jitter, the random patch's."""
        return self.data.classes if self.jitter == "off" else self.data.classes + 1

    def chosen(self, iteration: int) -> NDArray[np.int64]:
        """The annotations of the whole batch, over all processes: (batch_size,) indices into the data set."""
        epoch, number = divmod(iteration, len(self.data) // self.batch_size)
        order = np.random.default_rng((self.seed, 0, epoch)).permutation(len(self.data))
        return order[number * self.batch_size :][: self.batch_size]

    def generator(self, iteration: int) -> torch.Generator:
        """For the boundary patches of `iteration` and this process, on the device of the data."""
        return self._generator(np.random.default_rng((self.seed, 2, iteration, self.rank)))

    def batch(self, iteration: int) -> Batch:
        """This process's part of the batch; B = batch_size / count."""
        data, crop = self.data, self.crop
        chosen = self.chosen(iteration)[self.rank :: self.count]
        rng = np.random.default_rng((self.seed, 1, iteration, self.rank))
        if self.scales != (1, 1):
            return self._zoomed_batch(chosen, rng)
        top = rng.integers(data.height[chosen] - crop, endpoint=True)  # (B,)
        left = rng.integers(data.width[chosen] - crop, endpoint=True)
        flip = rng.random((2, len(chosen))) < 0.5

        line = np.arange(crop)
        rows = top[:, None] + np.where(flip[0][:, None], line[::-1], line)  # (B, S)
        columns = left[:, None] + np.where(flip[1][:, None], line[::-1], line)
        row_starts = rows * data.width[chosen][:, None]
        place = self._to_device(row_starts)[:, :, None] + self._to_device(columns)[:, None, :]  # (B, S, S), of a pixel in its image
        image_start = self._to_device(data.image_start[chosen]).view(-1, 1, 1)
        label_start = self._to_device(data.label_start[self._annotations_of(chosen)])[:, :, None, None]  # (B, A, 1, 1)
        plain_label = data.labels[place[:, None] + label_start].long()
        if self.jitter == "off":
            return Batch(self._normalised(data.pixels[place + image_start]), plain_label, plain_label)

        source, random = jitter_map(draw_jitter(rng, len(chosen), crop), crop, place.device, public=self.jitter == "public")
        place = place.flatten(1).gather(1, source.flatten(1)).view_as(source)
        pixels = data.pixels[place + image_start]  # (B, S, S, 3)
        noise = torch.randint(256, pixels.shape, generator=self._generator(rng), device=pixels.device, dtype=torch.uint8)
        label = data.labels[place[:, None] + label_start].long()
        return Batch(
            self._normalised(pixels.where(~random[..., None], noise)),
            label.masked_fill(random[:, None], data.classes),
            plain_label,
        )

    def _zoomed_batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """The crops of the `chosen` annotations at any scale, in either orientation and in changed colours."""
        data, device = self.data, self.data.pixels.device
        zoom = draw_zoom(rng, data.height[chosen], data.width[chosen], self.crop, *self.scales)
        where = places(zoom, rng.random((2, len(chosen))) < 0.5, self.crop, device)
        table = np.concatenate(
            (np.stack((data.image_start, data.height, data.width))[:, chosen], data.label_start[self._annotations_of(chosen)].T)
        )
        image_start, height, width, *label_starts = self._to_device(table)[..., None, None]  # (B, 1, 1) each
        pixels = interpolated(data.pixels, image_start, where, height, width) / 255
        if self.colour:
            amount = self.colour * rng.standard_normal((len(chosen), 4), dtype=np.float32)
            pixels = change_colours(pixels, torch.from_numpy(amount).to(device, non_blocking=True))
        place = nearest(where.y, height) * width + nearest(where.x, width)
        label = torch.stack([data.labels[place + start] for start in label_starts], 1).long()
        return Batch((pixels - self._mean).permute(0, 3, 1, 2), label, label)

    def _annotations_of(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """For each chosen annotation itself and those after it, (B, A) indices into the data set."""
        first, count = self.data.first[chosen, None], self.data.count[chosen, None]
        return first + (chosen[:, None] - first + np.arange(self.annotations)) % count

    def _generator(self, rng: np.random.Generator) -> torch.Generator:
        """On the device of the data, seeded by `rng`."""
        return torch.Generator(self.data.pixels.device).manual_seed(int(rng.integers(2**63)))

    def _normalised(self, pixels: Tensor) -> Tensor:
        """(B, S, S, 3) uint8 -> (B, 3, S, S) float32, channels last in memory."""
        return pixels.float().div_(255).sub_(self._mean).permute(0, 3, 1, 2)

    def _to_device(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(array).to(self.data.pixels.device, non_blocking=True)
