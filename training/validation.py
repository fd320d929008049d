"""The training loss on unseen images: `validation_loss(network, bsds500(root, "val"))`."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ainet.spec import CELL_SIZE, MEAN
from ainet.training.datasets import Sample
from ainet.training.losses import association_loss
from ainet.training.networks import UNet


@torch.no_grad()
def validation_loss(network: UNet, samples: Iterable[Sample], crop: int = 208) -> dict[str, float]:
    """Mean of the association loss over all ground truths, on the centre crops of the images.

    `network` is in eval mode; `crop` is a multiple of 16, of smaller images as much as whole cells fill. The figures are loss, semantic
    and position, on the scale of the training loss with the same crop.

    Raises:
        ImageError: a file cannot be read.
    """
    device = next(network.parameters()).device
    losses: list[Tensor] = []
    counts: list[int] = []
    for sample in samples:
        pixels = torch.from_numpy(_centre(sample.image(), crop)).to(device)
        prob = network(((pixels / 255) - torch.tensor(MEAN, device=device)).permute(2, 0, 1)[None]).softmax(1)
        maps = np.stack([_centre(labels, crop).astype(np.int64) for labels in sample.segmentations()])
        label = torch.from_numpy(maps).to(device)[None]  # (1, ground truths, S, S)
        losses.append(torch.stack(association_loss(prob, label, int(maps.max()) + 1)))
        counts.append(len(maps))
    mean = torch.stack(losses).mul(torch.tensor(counts, device=device)[:, None]).sum(0) / sum(counts)
    return dict(zip(("loss", "semantic", "position"), mean.tolist(), strict=True))


def _centre(array: NDArray[Any], crop: int) -> NDArray[Any]:
    height, width = (min(crop, size // CELL_SIZE * CELL_SIZE) for size in array.shape[:2])
    top, left = (array.shape[0] - height) // 2, (array.shape[1] - width) // 2
    return np.ascontiguousarray(array[top : top + height, left : left + width])
