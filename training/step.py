"""The forward half of a training step as one module, so that it can be compiled and shared by several devices whole."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ainet.errors import UsageError
from ainet.training.augment import Batch
from ainet.training.boundary import boundary_loss
from ainet.training.distillation import divergence, teacher_of
from ainet.training.laplacian import laplacian_loss
from ainet.training.losses import LOSS_SCALE, association_loss, dense_ids
from ainet.training.networks import UNet
from ainet.training.recipe import Recipe

# "loss" is the sum; the last three are without their weights.
FIGURES = ("loss", "semantic", "position", "boundary", "laplacian", "distillation")


class TrainingStep(nn.Module):
    """Network and loss: `loss, figures = step(batch, corners)`. bf16: run the network in bfloat16 where autocast does.

    Raises:
        UsageError: the recipe asks for the boundary loss of a network without an embedding of every pixel.
        ModelError: the recipe distils, and the bundled AINet is not there.
    """

    def __init__(self, network: UNet, recipe: Recipe, classes: int, bf16: bool = False) -> None:
        super().__init__()
        if recipe.boundary != "off" and network.embedding_step != 1:
            raise UsageError(f"recipe '{recipe.name}': the boundary loss needs an embedding of every pixel, which this network has not")
        self.network, self.recipe, self.classes, self.bf16 = network, recipe, classes, bf16
        self.teacher = teacher_of(recipe)

    def forward(self, batch: Batch, corners: Tensor | None) -> tuple[Tensor, Tensor]:
        """Loss (scalar) and its `FIGURES` (6,), 0 for those that are not in use.

        `corners` (P, 3) are the patches on `boundary_label`; without them the boundary loss is left out.
        """
        with torch.autocast(batch.image.device.type, torch.bfloat16, enabled=self.bf16):
            logits, embedding = self.network.features(batch.image)
        return self.losses(batch, logits.float(), embedding, corners)

    def losses(self, batch: Batch, logits: Tensor, embedding: Tensor, corners: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same of what the network makes of the batch: logits (B, 9, S, S) in float32, and the pixel embedding."""
        recipe = self.recipe
        prob = logits.softmax(1)
        label, classes = batch.label, self.classes
        if label.device.type == "cpu":  # on a GPU it does not pay to wait for the count
            label, classes = dense_ids(label, classes)
        association = association_loss(prob, label, classes, recipe.position_weight, recipe.single_class_weight)
        total, unused = association.total, prob.new_zeros(())
        boundary, laplacian, distillation = unused, unused, unused
        if corners is not None:
            boundary = boundary_loss(embedding.float(), boundary_label(batch, recipe), corners, recipe.boundary == "public")
            total = total + LOSS_SCALE * recipe.boundary_weight * boundary
        if recipe.laplacian_weight > 0:
            laplacian = laplacian_loss(prob)
            total = total + recipe.laplacian_weight * laplacian  # without `LOSS_SCALE`, as in its source
        if self.teacher is not None:
            with torch.no_grad(), torch.autocast(batch.image.device.type, torch.bfloat16, enabled=self.bf16):
                taught = self.teacher(batch.image)
            distillation = LOSS_SCALE * divergence(logits, taught.float())
            total = total + recipe.distillation * distillation
        return total, torch.stack((total, association.semantic, association.position, boundary, laplacian, distillation)).detach()


def boundary_label(batch: Batch, recipe: Recipe) -> Tensor:
    """What the boundary loss looks at, (B, S, S): the first annotation, in the public code's form the one before patch jitter."""
    return (batch.plain_label if recipe.boundary == "public" else batch.label)[:, 0]


def has_fast_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware, where it is up to twice as fast as float32; elsewhere it is slower."""
    if device.type != "cpu":
        return True
    capabilities: Mapping[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # not in older PyTorch
    return bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
