"""The learned cost as a PyTorch module, and the head that makes the border map of it from a network's features.

    cost(a, b) = p x min(n_a, n_b) / sqrt(length)
    p          = sigmoid(pair([x(a, b), u(a, b)]))
    u(a, b)    = mean over the borders that a and b have joined, by length, of border([f, x of their own regions])

x are the 14 features of a pair that need the image alone, f the means over the sides of a border of the border map and of its
differences two pixels to either side (both native: see runtime/native/region_graph.h).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.runtime import _native
from ainet.runtime.merging import BORDER_SUMS, PAIR_FEATURES, BorderMap, MergeModel, region_graph
from ainet.training.merging.pairs import LabelledImage, Pairs
from ainet.training.networks.blocks import UNet


class BorderHead(nn.Module):
    """Features of a network -> border map: a 1x1 convolution of all at half the working size.

    As it is linear, each source is convolved at its own resolution and the small results are added.
    """

    def __init__(self, channels: int, sources: Sequence[int] = UNet.border_channels) -> None:
        super().__init__()
        embedding, encoder1, encoder2 = sources
        self.embedding = nn.Conv2d(embedding, channels, 1)
        self.encoder1 = nn.Conv2d(encoder1, channels, 1, bias=False)
        self.encoder2 = nn.Conv2d(encoder2, channels, 1, bias=False)

    def forward(self, embedding: Tensor, encoder1: Tensor, encoder2: Tensor) -> Tensor:
        """The `border_sources` of a network, (B, c, h/2, w/2) twice and (B, c, h/4, w/4) -> border map (B, h/2, w/2, C)."""
        coarse = F.interpolate(self.encoder2(encoder2), scale_factor=2, mode="nearest")
        return (self.embedding(embedding) + self.encoder1(encoder1) + coarse).permute(0, 2, 3, 1)

    @torch.no_grad()
    def start(self, maps: Sequence[tuple[Tensor, ...]]) -> None:
        """Fresh weights that make values of mean 0 and about 1 in size, of the maps (C, h, w) of some images."""
        convs = (self.embedding, self.encoder1, self.encoder2)
        for conv, of_images in zip(convs, zip(*maps, strict=True), strict=True):
            values = torch.cat([values.float().flatten(1)[:, ::7] for values in of_images], 1)  # (C, places)
            size = (values.std(1) + 1e-3) * (len(values) * len(convs)) ** 0.5
            conv.weight.copy_(torch.randn(conv.weight.shape) / size[:, None, None])
            assert self.embedding.bias is not None
            self.embedding.bias.sub_(conv.weight[:, :, 0, 0] @ values.mean(1))


class WithBorderMap(nn.Module):
    """A network that gives its logits (B, 9, h, w) and the border map (B, h/2, w/2, C) of a head."""

    def __init__(self, network: UNet, head: BorderHead) -> None:
        super().__init__()
        self.network, self.head = network, head

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits, sources = self.network.with_border_sources(image)
        return logits, self.head(*sources)


class _Pool(torch.autograd.Function):
    """Border map (h, w, C) -> its sums over the borders of an image (E, 2C); the native code of inference."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, image: LabelledImage) -> Tensor:
        ctx.map = BorderMap.of_image(values.detach().numpy(), *image.labels.shape)
        ctx.image = image
        return torch.from_numpy(region_graph(image.labels, image.image, ctx.map).borders[:, BORDER_SUMS:].copy())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        labels, places = ctx.image.labels, ctx.map
        regions = int(labels.max()) + 1
        back = _native.map_gradient(labels, regions, places.values, places.rows, places.columns, gradient.contiguous().numpy())
        return torch.from_numpy(back), None


class MergeNetwork(nn.Module):
    """The cost's p before its sigmoid, for pairs; `channels` of the border map, 0 for none, which a network makes of its `sources`."""

    def __init__(
        self,
        channels: int = 16,
        middle: int = 48,
        codes: int = 4,
        hidden: int = 16,
        dropout: float = 0.1,
        sources: Sequence[int] = UNet.border_channels,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.sizes = (channels, middle, codes, hidden)
        self.head = BorderHead(channels, sources) if channels else None
        self.dropout = nn.Dropout(dropout)
        self.border = nn.Sequential(nn.Linear(2 * channels + PAIR_FEATURES, middle), nn.ReLU(), nn.Linear(middle, codes), nn.ReLU())
        self.pair = nn.Sequential(nn.Linear(PAIR_FEATURES + codes, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.zeros(PAIR_FEATURES))
        self.register_buffer("deviation", torch.ones(PAIR_FEATURES))

    def fit_scales(self, data: list[Pairs]) -> None:
        """Take the mean and deviation of the features, and scale the head so that its map starts with values of about one."""
        features = torch.cat([pairs.features for pairs in data])
        self.mean, self.deviation = features.mean(0), features.std(0) + 1e-3
        if self.head is not None:
            self.head.start([pairs.image.maps for pairs in data[:: max(1, len(data) // 20)]])

    def forward(self, pairs: Pairs) -> Tensor:
        """(P,) logits."""
        length = pairs.length[:, None]
        own = (pairs.own - self.mean) / self.deviation
        if self.head is not None:
            values = self.head(*(source.float()[None] for source in pairs.image.maps))[0]
            own = torch.cat([self.dropout(_Pool.apply(values, pairs.image) / length), own], 1)
        sums = self.border(own) * length  # (E, codes)
        levels, count = len(pairs.pair), len(pairs.features) + 1
        flat = pairs.pair.flatten()
        total = torch.zeros(count).index_add_(0, flat, pairs.length.repeat(levels))
        codes = torch.zeros(count, sums.shape[1]).index_add_(0, flat, sums.repeat(levels, 1))[:-1] / total[:-1, None]
        return self.pair(torch.cat([(pairs.features - self.mean) / self.deviation, codes], 1))[:, 0]

    def weights(self) -> MergeModel:
        """The weights for inference, the scales of the features folded in."""
        border1, border1_bias = self._unscaled(self.border[0], 2 * self.channels)
        pair1, pair1_bias = self._unscaled(self.pair[0], 0)
        layers = [border1, border1_bias, *_plain(self.border[2]), pair1, pair1_bias, *_plain(self.pair[2])]
        return MergeModel(*(np.ascontiguousarray(layer.detach().numpy(), np.float32) for layer in layers))

    def _unscaled(self, layer: Any, first: int) -> tuple[Tensor, Tensor]:
        """A layer that takes the features as they are; they start at input `first`."""
        weight, bias = (parameter.detach().clone() for parameter in (layer.weight, layer.bias))
        own = slice(first, first + PAIR_FEATURES)
        weight[:, own] /= self.deviation
        return weight.T, bias - weight[:, own] @ self.mean


def _plain(layer: Any) -> tuple[Tensor, Tensor]:
    return layer.weight.T, layer.bias
