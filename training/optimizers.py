"""The optimizers of a recipe."""

import torch
from torch import nn

from ainet.training.muon import Muon
from ainet.training.recipe import Recipe

LAST_LAYER = "pred_mask0.weight"


def make_optimizers(network: nn.Module, recipe: Recipe, fused: bool = False) -> list[torch.optim.Optimizer]:
    """Adam for all, or Muon for the kernels but the last and Adam for the rest. Weights decay (BatchNorm's too), biases do not.

    In Adam the decay is an L2 term in the gradient, as in the public code; in Muon it is decoupled.
    """
    kernels, weights, biases = [], [], []
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            biases.append(parameter)
        elif recipe.optimizer == "muon" and parameter.dim() == 4 and name != LAST_LAYER:
            kernels.append(parameter)
        else:
            weights.append(parameter)
    groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": biases, "weight_decay": 0.0}]
    adam = torch.optim.Adam(groups, lr=recipe.lr, betas=(0.9, 0.999), fused=fused)
    return [Muon(kernels, recipe.lr, recipe.weight_decay), adam] if kernels else [adam]
