"""The forward half of a training step as one module, so that it can be compiled and shared by several devices whole."""

import torch
from torch import Tensor, nn

from ainet.training.augment import Batch
from ainet.training.boundary import boundary_loss
from ainet.training.losses import LOSS_SCALE, association_loss
from ainet.training.networks import UNet
from ainet.training.recipe import Recipe


class TrainingStep(nn.Module):
    """Network and loss: `loss, figures = step(batch, corners)`."""

    def __init__(self, network: UNet, recipe: Recipe, classes: int) -> None:
        super().__init__()
        self.network, self.recipe, self.classes = network, recipe, classes

    def forward(self, batch: Batch, corners: Tensor | None) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and its figures (4,): total, semantic, position, boundary (unweighted).

        `corners` (P, 3) are the boundary patches; without them the boundary loss is left out.
        """
        recipe = self.recipe
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=recipe.bf16):
            logits, embedding = self.network.features(batch.image)
        association = association_loss(logits.float().softmax(1), batch.label, self.classes, recipe.position_weight)
        total, boundary = association.total, torch.zeros_like(association.total)
        if corners is not None:
            public = recipe.boundary == "public"
            boundary = boundary_loss(embedding.float(), batch.plain_label if public else batch.label, corners, public)
            total = total + LOSS_SCALE * recipe.boundary_weight * boundary
        return total, torch.stack((total, association.semantic, association.position, boundary)).detach()
