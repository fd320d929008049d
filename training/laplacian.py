"""The Laplacian trace loss, which evens the shapes of superpixels and holds their pixels together.

    loss = laplacian_loss(prob)

Source: Juybari et al., "Differentiable Laplacian Matrix Guided Superpixel Segmentation" (CVPR 2026). The pixels around a cell
s, 3 x 3 cells, are the nodes of a graph; 8-neighbours i and j are joined by an edge of the weight Q_s(i) Q_s(j). Where pixels
that go to s lie side by side, the degrees are large, and so is the trace of the Laplacian D - W, their sum:

    trace(s) = sum over i of sum over 8-neighbours j of Q_s(i) Q_s(j)
    loss     = 1 - mean over cells of trace(s) / EDGES          in 0..1

EDGES is the trace if all pixels went to s. Edges do not depend on the image.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ainet.spec import CELL_SIZE, NEIGHBOURS

WINDOW = 3 * CELL_SIZE
EDGES = 4 * WINDOW * (WINDOW - 1) + 4 * (WINDOW - 1) ** 2  # 17,860 ordered pairs of 8-neighbours


def laplacian_loss(prob: Tensor) -> Tensor:
    """1 minus the mean normalised trace, a scalar.

    Args:
        prob: association map Q (B, 9, H, W), float32 or float64, sums to 1 over the channels; H and W multiples of 16. What it
            sends to cells off the grid counts for nothing.
    """
    q = _windows(prob)
    near = _neighbour_sums(q.detach())
    # The trace is a symmetric form: its gradient is twice `near`. Said so, it costs one product, not the way back through the sums.
    trace = ((2 * q - q.detach()) * near).sum()
    return 1 - trace / (len(q) * EDGES)


def _neighbour_sums(q: Tensor) -> Tensor:
    """(N, 48, 48) -> (N, 48, 48): of the 8 neighbours, 0 outside."""
    rows = q.clone()
    rows[:, 1:] += q[:, :-1]
    rows[:, :-1] += q[:, 1:]
    near = rows - q
    near[..., 1:] += rows[..., :-1]
    near[..., :-1] += rows[..., 1:]
    return near


def _windows(prob: Tensor) -> Tensor:
    """(B, 9, 16h, 16w) -> (B * h * w, 48, 48): what the pixels around each cell send to it, 0 off the image."""
    blocks = prob.unflatten(3, (-1, CELL_SIZE)).unflatten(2, (-1, CELL_SIZE))  # (B, 9, h, 16, w, 16)
    height, width = blocks.shape[2], blocks.shape[4]
    planes = F.pad(blocks, (0, 0, 1, 1, 0, 0, 1, 1)).unbind(1)
    # The block at place k of a window sends to the opposite direction, 8 - k.
    parts = [planes[NEIGHBOURS - 1 - k][:, k // 3 : k // 3 + height, :, k % 3 : k % 3 + width] for k in range(NEIGHBOURS)]
    windows = torch.stack(parts, 1).unflatten(1, (3, 3))  # (B, 3, 3, h, 16, w, 16)
    return windows.permute(0, 3, 5, 1, 4, 2, 6).reshape(-1, WINDOW, WINDOW)
