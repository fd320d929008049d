"""The association losses of SCN and AINet (paper Eq. 1-3), without one-hot maps.

    loss = association_loss(prob, label, classes=50)
    loss.total.backward()

A soft assignment Q sends every pixel to the 9 cells around it. Cells average what they receive (pool), pixels average
what their cells hold (reconstruct), and the loss asks the reconstruction for the pixel's own label and position:

    pooled(s)  = sum_p Q_s(p) f(p) / sum_p Q_s(p)         over the pixels p around cell s
    rebuilt(p) = sum_s Q_s(p) pooled(s)                   over the 9 cells s around pixel p
    loss       = sum_p -log rebuilt_label(p) + m / S |rebuilt_position(p) - position(p)|

The label f is one-hot, so only few numbers matter: what a cell receives is a histogram over classes, filled by adding
Q at (cell, class of the pixel), and a pixel only reads its own class. The tables live at 1/16 of the resolution.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ainet.spec import CELL_SIZE, NEIGHBOURS

POSITION_WEIGHT = 0.003  # m of Eq. 3; lambda = m / S
BOUNDARY_WEIGHT = 0.5  # alpha of Eq. 9
LOSS_SCALE = 0.005  # the public code's factor on the whole loss; Adam is blind to it but for the weight decay
EPSILON = 1e-8


class AssociationLoss(NamedTuple):
    """Scalars: `total` = `semantic` + `position`, each with `LOSS_SCALE` and averaged over the images (summed over pixels)."""

    total: Tensor
    semantic: Tensor
    position: Tensor


def association_loss(
    prob: Tensor, label: Tensor, classes: int, position_weight: float = POSITION_WEIGHT, single_class_weight: float = 1.0
) -> AssociationLoss:
    """Cross-entropy of the reconstructed label plus distance of the reconstructed position (AINet Eq. 1-3, SCN).

    Args:
        prob: association map Q (B, 9, H, W), float32 or float64, sums to 1 over the channels; H and W multiples of 16.
            Fastest in channels_last.
        label: (B, A, H, W) integer ids in 0..classes-1; `semantic` is the mean over the A annotations of an image.
        classes: size of the histogram per cell.
        position_weight: m; the position term has the weight m / 16.
        single_class_weight: above 0; weight in `semantic` of the pixels whose own cell holds one class only, against 1 for others. The
            weights of an annotation are scaled to the mean 1. (Juybari et al., CVPR 2026, the weighted reconstruction loss; 0.1 there.)
    """
    batch, _, height, width = prob.shape
    annotations = label.shape[1]
    q = _blocks(prob)  # (B, h, w, 256, 9)
    position = _positions(q, height, width)  # (h, w, 256, 2)
    weight = _receive(q.sum(3, keepdim=True)) / CELL_SIZE**2 + EPSILON  # (B, 1, h, w)
    centre = _receive(position.mT @ q) / CELL_SIZE**2 / weight  # (B, 2, h, w)
    rebuilt_position = q @ _neighbours(centre).mT  # (B, h, w, 256, 2)
    distance = torch.linalg.vector_norm(rebuilt_position - position, dim=-1).sum()

    entropy = prob.new_zeros(())
    for own in _blocks(label).long().unbind(-1):  # one annotation: the class of each pixel (B, h, w, 256)
        entropy = entropy - _log_rebuilt_class(q, weight, own, classes, single_class_weight).sum()
    scale = LOSS_SCALE / batch
    semantic = scale / annotations * entropy
    spatial = scale * position_weight / CELL_SIZE * distance
    return AssociationLoss(semantic + spatial, semantic, spatial)


def dense_ids(label: Tensor, classes: int) -> tuple[Tensor, int]:
    """Number the ids of each annotation (B, A, H, W) anew, 0 to its count - 1, and give the largest count.

    A crop holds few of its image's regions, and the association loss takes time and memory by the number of classes. Waits for the device.
    """
    ids = label.flatten(2)
    present = torch.zeros(*ids.shape[:2], classes, dtype=torch.long, device=label.device).scatter_(2, ids, 1)
    new = present.cumsum(2) - 1
    return new.gather(2, ids).view_as(label), int(new.max()) + 1


def _log_rebuilt_class(q: Tensor, weight: Tensor, own: Tensor, classes: int, single_class_weight: float) -> Tensor:
    """Logarithm of the reconstructed share of each pixel's own class, weighted; (B, h, w, 256).

    `q` (B, h, w, 256, 9) and the sum of Q per cell `weight` (B, 1, h, w) are those of the image, `own` (B, h, w, 256) its classes.
    """
    cells = own.shape[:3]
    # Sent: from a cell's own pixels to each of its 9 neighbours. Received: by a cell from its 9 neighbours' pixels.
    row = (own + classes * torch.arange(own[..., 0].numel(), device=own.device).view(*cells, 1)).flatten()
    sent = q.new_zeros(classes * own[..., 0].numel(), NEIGHBOURS).index_add(0, row, q.view(-1, NEIGHBOURS))
    histogram = _receive(sent.view(*cells, classes, NEIGHBOURS))  # (B, C, h, w)
    table = _neighbours(histogram / CELL_SIZE**2 / weight).reshape(-1, NEIGHBOURS)  # (B * h * w * C, 9)
    rebuilt = (q * table.index_select(0, row).view_as(q)).sum(-1)  # (B, h, w, 256)
    log = (rebuilt + EPSILON).log()
    if single_class_weight == 1:
        return log
    cell_weight = q.new_ones(cells).masked_fill(own.amin(3) == own.amax(3), single_class_weight)
    return log * (cell_weight / cell_weight.mean((1, 2), keepdim=True))[..., None]


def _blocks(x: Tensor) -> Tensor:
    """(B, C, 16h, 16w) -> (B, h, w, 256, C): the pixels of each cell side by side."""
    x = x.permute(0, 2, 3, 1).unflatten(2, (-1, CELL_SIZE)).unflatten(1, (-1, CELL_SIZE))  # (B, h, 16, w, 16, C)
    return x.transpose(2, 3).flatten(3, 4).contiguous()


def _positions(like: Tensor, height: int, width: int) -> Tensor:
    """Row and column of every pixel in blocks, (h, w, 256, 2), in the dtype and on the device of `like`."""
    y, x = (torch.arange(size, dtype=like.dtype, device=like.device) for size in (height, width))
    return _blocks(torch.stack(torch.meshgrid(y, x, indexing="ij"))[None])[0]


def _receive(sent: Tensor) -> Tensor:
    """Sum up in each cell what its neighbours sent to it; (B, h, w, C, 9) -> (B, C, h, w). Off the grid it is lost."""
    size = sent.shape[1:3]
    return F.fold(sent.permute(0, 3, 4, 1, 2).flatten(3).flatten(1, 2), size, 3, padding=1)


def _neighbours(held: Tensor) -> Tensor:
    """Lay beside each cell what its 9 neighbours hold, 0 off the grid; (B, C, h, w) -> (B, h, w, C, 9)."""
    size = held.shape[2:]
    return F.unfold(held, 3, padding=1).unflatten(1, (-1, NEIGHBOURS)).unflatten(3, size).permute(0, 3, 4, 1, 2)
