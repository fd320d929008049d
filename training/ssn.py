"""Training of SSN as its paper has it (Jampani et al., "Superpixel Sampling Networks", ECCV 2018, Sec. 4): `train ssn --recipe ssn`.

A crop is clustered into 100 superpixels by 5 rounds of differentiable SLIC. With Q the soft association of the last round,
cells take the weighted mean of the one-hot labels, and pixels the mean of their cells' by the same weights; positions are rebuilt
from the pixel's best cell alone:

    loss = mean of -log rebuilt_label(p) + lambda * mean of (position(best cell) - position(p))^2

with lambda = 1e-5, positions in pixels, the mean over rows and columns too. `position_weight` of the recipe is lambda.
"""

import torch
from torch import Tensor, nn

from ainet.errors import UsageError
from ainet.spec import MEAN
from ainet.training.augment import Batch
from ainet.training.lab import rgb_to_lab
from ainet.training.networks.ssn import EPSILON, SSN, differentiable_slic, grid_size, near_cells, ssn_input
from ainet.training.recipe import Recipe

SEGMENTS = 100  # of a crop
ITERATIONS = 5  # of differentiable SLIC; 10 in use


class SSNStep(nn.Module):
    """Network and loss, as `TrainingStep`.

    Raises:
        UsageError: the recipe has a loss of AINet that SSN's lacks.
    """

    def __init__(self, network: SSN, recipe: Recipe, classes: int, bf16: bool = False) -> None:
        super().__init__()
        for field, off in (
            ("boundary", "off"),
            ("laplacian_weight", 0),
            ("distillation", 0),
            ("single_class_weight", 1),
            ("annotations", 1),
        ):
            if getattr(recipe, field) != off:
                raise UsageError(f"recipe '{recipe.name}': SSN has no {field}, which is {getattr(recipe, field)!r}; use the recipe 'ssn'")
        self.network, self.recipe, self.classes, self.bf16 = network, recipe, classes, bf16

    def forward(self, batch: Batch, corners: Tensor | None) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and `step.FIGURES` (6,); `corners` is None."""
        image = batch.image + torch.tensor(MEAN, device=batch.image.device).view(3, 1, 1)
        height, width = image.shape[2:]
        grid = grid_size(height, width, SEGMENTS)
        x = ssn_input(rgb_to_lab(image), SEGMENTS)
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            features = self.network.features(x)
        logits = differentiable_slic(features.float(), *grid, ITERATIONS)
        semantic, position = ssn_loss(logits, batch.label[:, 0], self.classes, *grid)
        position = self.recipe.position_weight * position
        total = semantic + position
        unused = torch.zeros_like(total)
        return total, torch.stack((total, semantic, position, unused, unused, unused)).detach()


def ssn_loss(logits: Tensor, label: Tensor, classes: int, rows: int, columns: int) -> tuple[Tensor, Tensor]:
    """Mean cross-entropy of the rebuilt label, and mean squared distance of positions in pixels^2; scalars.

    Args:
        logits: (B, 9, H, W) of `differentiable_slic`, float32 or float64.
        label: (B, H, W) integer ids in 0..classes-1.
        rows, columns: of the grid.
    """
    batch, _, height, width = logits.shape
    q = logits.softmax(1).flatten(1)  # (B, 9 * H * W)
    cell = near_cells(height, width, rows, columns, logits.device)  # (9, H, W)
    row = (cell * classes + label[:, None]).flatten(1)  # (B, 9 * H * W), cell and class of the pixel
    histogram = q.new_zeros(batch, rows * columns * classes).scatter_add(1, row, q)
    weight = histogram.unflatten(1, (-1, classes)).sum(2) + EPSILON  # (B, cells)
    table = histogram / weight.repeat_interleave(classes, 1)
    rebuilt = (q * table.gather(1, row)).unflatten(1, (9, -1)).sum(1)  # (B, H * W)
    semantic = -(rebuilt + EPSILON).log().mean()

    y, x = (torch.arange(size, dtype=q.dtype, device=q.device) for size in (height, width))
    position = torch.stack(torch.meshgrid(y, x, indexing="ij")).flatten(1)  # (2, H * W)
    index = cell.flatten().expand(batch, 2, -1)
    moments = q.new_zeros(batch, 2, rows * columns).scatter_add(2, index, q[:, None] * position.repeat(1, 9))
    best = cell.flatten(1).expand(batch, -1, -1).gather(1, logits.argmax(1).flatten(1)[:, None])  # (B, 1, H * W)
    centre = (moments / weight[:, None]).gather(2, best.expand(-1, 2, -1))
    return semantic, (centre - position).square().mean()
