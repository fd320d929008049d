"""The forward half of a training step as one module, so that it can be compiled and shared by several devices whole."""

import torch
from torch import Tensor, nn

from ainet.training.augment import Batch
from ainet.training.boundary import boundary_loss
from ainet.training.laplacian import laplacian_loss
from ainet.training.losses import LOSS_SCALE, association_loss
from ainet.training.networks import UNet
from ainet.training.recipe import Recipe

FIGURES = ("loss", "semantic", "position", "boundary", "laplacian")  # "loss" is the sum; the last two are without their weights


class TrainingStep(nn.Module):
    """Network and loss: `loss, figures = step(batch, corners)`."""

    def __init__(self, network: UNet, recipe: Recipe, classes: int) -> None:
        super().__init__()
        self.network, self.recipe, self.classes = network, recipe, classes

    def forward(self, batch: Batch, corners: Tensor | None) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and its `FIGURES` (5,), 0 for those that are not in use.

        `corners` (P, 3) are the boundary patches; without them the boundary loss is left out.
        """
        recipe = self.recipe
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=recipe.bf16):
            logits, embedding = self.network.features(batch.image)
        prob = logits.float().softmax(1)
        association = association_loss(prob, batch.label, self.classes, recipe.position_weight, recipe.single_class_weight)
        total, boundary, laplacian = association.total, prob.new_zeros(()), prob.new_zeros(())
        if corners is not None:
            public = recipe.boundary == "public"
            boundary = boundary_loss(embedding.float(), batch.plain_label if public else batch.label, corners, public)
            total = total + LOSS_SCALE * recipe.boundary_weight * boundary
        if recipe.laplacian_weight > 0:
            laplacian = laplacian_loss(prob)
            total = total + recipe.laplacian_weight * laplacian  # without `LOSS_SCALE`, as in its source
        return total, torch.stack((total, association.semantic, association.position, boundary, laplacian)).detach()
