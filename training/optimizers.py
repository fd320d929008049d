"""The optimizers of a recipe."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ainet.training.muon import Muon
from ainet.training.recipe import Recipe

LAST_LAYER = "pred_mask0.weight"


def make_optimizers(network: nn.Module, recipe: Recipe, fused: bool = False) -> list[torch.optim.Optimizer]:
    """Adam for all, or Muon for the kernels but the last and Adam for the rest.

    With Adam alone weights decay (BatchNorm's too) by an L2 term in the gradient, as in the public code, and biases do not. With Muon its
    kernels alone decay, decoupled from the gradient: without that they grow at high rates, until the training breaks down.
    """
    kernels, weights, biases = [], [], []
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            biases.append(parameter)
        elif recipe.optimizer == "muon" and parameter.dim() == 4 and name != LAST_LAYER:
            kernels.append(parameter)
        else:
            weights.append(parameter)
    decay = 0.0 if kernels else recipe.weight_decay
    groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
    adam = torch.optim.Adam(groups, lr=recipe.lr, betas=(0.9, 0.999), fused=fused)
    return [Muon(kernels, recipe.lr, recipe.weight_decay), adam] if kernels else [adam]


def load_moments(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Take up what an optimizer of the same parameters had gathered, from its `state_dict`; all else is as this one was made.

    Raises:
        ValueError: it is not whole, or has values that are not finite, or negative where none can be. Whatever torch raises, for
            another structure.
    """
    own = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state["state"], "param_groups": own})
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if optimizer.state and optimizer.state.keys() != set(parameters):
        raise ValueError(f"moments of {len(optimizer.state)} parameters, of {len(parameters)}")
    names = {"momentum"} if isinstance(optimizer, Muon) else {"step", "exp_avg", "exp_avg_sq"}
    for parameter, moments in optimizer.state.items():
        shapes = {name: value.shape for name, value in moments.items()}
        if shapes != {name: torch.Size() if name == "step" else parameter.shape for name in names}:
            raise ValueError(f"moments {shapes} of a parameter of {tuple(parameter.shape)}")
        check_finite(moments)
        for name in moments.keys() & {"step", "exp_avg_sq"}:  # a count, and means of squares
            if (moments[name] < 0).any():
                raise ValueError(f"{name} is negative")


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise `ValueError` where one has a value that is not finite."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise ValueError(f"{name} is not finite")
