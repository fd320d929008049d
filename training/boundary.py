"""The boundary-perceiving loss of AINet (paper Eq. 6-9): features of the two sides of a boundary are pushed apart.

    corners = sample_patches(label, generator)                 # 5x5 patches on boundaries
    loss = boundary_loss(embedding, label, corners)

A patch that covers exactly two regions f and g is used; each region is split in raster order into two halves. With
the means mu of the halves over the pixel embedding, and phi(a, b) = 2 / (1 + exp |a - b|_1),

    loss = mean over patches of -1/2 [log phi(f1, f2) + log phi(g1, g2)] - 1/2 [log(1 - phi(f1, g1)) + log(1 - phi(f2, g2))]
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 5  # K
MOST_PATCHES = 500  # per image, as in the public code
EPSILON = 1e-8


def boundary_loss(embedding: Tensor, label: Tensor, corners: Tensor, public: bool = False) -> Tensor:
    """Mean loss over the patches, a scalar; 0 (with zero gradient) where no patch can be used.

    Args:
        embedding: pixel embedding (B, D, H, W), float32 or float64.
        label: (B, H, W) integer region ids.
        corners: (P, 3) image, row and column of each patch's top-left pixel. Rows of -1, and patches that do not cover
            exactly two regions of at least two pixels each, count for nothing.
        public: as the public code has it: a mean is the sum over n + 1, not n, and regions of one pixel are used too.
    """
    line = torch.arange(PATCH, device=label.device)
    image, row, column = corners.clamp(min=0).unbind(1)
    place = ((image * label.shape[1] + row)[:, None, None] + line[:, None]) * label.shape[2] + column[:, None, None] + line
    place = place.flatten(1)  # (P, 25), into the flattened (B, H, W)
    patch = label.reshape(-1)[place]  # (P, 25)
    feature = embedding.permute(0, 2, 3, 1).reshape(-1, embedding.shape[1])[place]  # (P, 25, D)

    low, high = patch.amin(1, keepdim=True), patch.amax(1, keepdim=True)
    sides = torch.stack((patch == low, patch == high), 1)  # (P, 2, 25)
    count = sides.sum(2)  # (P, 2)
    usable = (low < high)[:, 0] & (count.sum(1) == PATCH**2) & (count >= (1 if public else 2)).all(1)  # (P,)
    usable &= corners[:, 0] >= 0

    first = sides & (sides.cumsum(2) <= (count // 2)[..., None])  # first half of each region in raster order
    halves = torch.stack((first, sides & ~first), 2).to(feature.dtype)  # (P, 2 regions, 2 halves, 25)
    sizes = halves.sum(3, keepdim=True)
    mean = halves.flatten(1, 2) @ feature / (sizes + 1 if public else sizes.clamp(min=1)).flatten(1, 2)  # (P, 4, D)
    f1, f2, g1, g2 = mean.unbind(1)
    pull = _log_similarity(f1, f2) + _log_similarity(g1, g2)
    push = _log_dissimilarity(f1, g1) + _log_dissimilarity(f2, g2)
    return -((pull + push) / 2 * usable).sum() / usable.sum().clamp(min=1)


def sample_patches(label: Tensor, generator: torch.Generator) -> Tensor:
    """Propose patches centred on random boundary pixels that lie at least 5 pixels inside the image.

    A boundary pixel has a 4-neighbour in another region. At most one patch per 5 boundary pixels, and 500, per image.

    Args:
        label: (B, H, W) integer region ids.
        generator: on the device of `label`.

    Returns:
        (P, 3) int64 image, row and column of the top-left pixels. P depends on the shape alone: images with fewer
        boundary pixels are filled up with corner (0, 0), whose patch lies off the sampled area.
    """
    batch, height, width = label.shape
    boundary = torch.zeros_like(label, dtype=torch.bool)
    down, right = label[:, 1:] != label[:, :-1], label[:, :, 1:] != label[:, :, :-1]
    boundary[:, 1:] |= down
    boundary[:, :-1] |= down
    boundary[:, :, 1:] |= right
    boundary[:, :, :-1] |= right
    wanted = (boundary.flatten(1).sum(1, keepdim=True) // PATCH).clamp(max=MOST_PATCHES)  # (B, 1)

    inner = F.pad(boundary[:, PATCH:-PATCH, PATCH:-PATCH], (PATCH,) * 4)
    score = torch.rand(label.shape, generator=generator, device=label.device) * inner
    score, centre = score.flatten(1).topk(min(MOST_PATCHES, height * width))  # (B, P / B), without replacement
    real = (score > 0) & (torch.arange(score.shape[1], device=label.device) < wanted)
    image = torch.arange(batch, device=label.device)[:, None].expand_as(centre)
    corners = torch.stack((image, centre // width - PATCH // 2, centre % width - PATCH // 2), 2)  # (B, P / B, 3)
    return corners.where(real[..., None], -1).flatten(0, 1)


def _log_similarity(a: Tensor, b: Tensor) -> Tensor:
    """log phi(a, b) of Eq. 8, (P, D) -> (P,)."""
    return (_similarity(a, b) + EPSILON).log()


def _log_dissimilarity(a: Tensor, b: Tensor) -> Tensor:
    return (1 - _similarity(a, b) + EPSILON).log()


def _similarity(a: Tensor, b: Tensor) -> Tensor:
    return 2 * torch.sigmoid(-(a - b).abs().sum(1))  # 2 / (1 + exp d), without overflow
