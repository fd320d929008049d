"""Distillation: a smaller network learns the association map of a trained one beside the paper's loss (Hinton et al., 2015).

loss = divergence(logits, teacher_logits)
"""

import torch.nn.functional as F
from torch import Tensor, nn

from ainet.models import bundled_checkpoint
from ainet.training.checkpoint import load_checkpoint
from ainet.training.recipe import Recipe


def divergence(logits: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the association map from the teacher's, summed over pixels, mean over B; logits (B, 9, H, W)."""
    return F.kl_div(logits.log_softmax(1), teacher.log_softmax(1), reduction="sum", log_target=True) / len(logits)


def teacher_of(recipe: Recipe) -> nn.Module | None:
    """The network that a recipe with distillation learns from: the bundled AINet.

    Raises:
        ModelError: it is not there.
    """
    return load_checkpoint(bundled_checkpoint("ainet")).network.requires_grad_(False) if recipe.distillation > 0 else None
