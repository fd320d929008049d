"""fp32 islands: layers of a network in half precision that stay in float32, chosen by what their rounding costs.

    choice = choose_islands(deployable(network), inputs)
    WithOutput(network, "logits", "fp16", choice.layers)     # none where half precision alone is good enough

The first layer always stays: half precision rounds a pixel by up to .03 of a level, and the largest weights are there, so that this alone
had moved single scores by 3.

The rounding is simulated in float32: weights, and what a layer reads and gives, are rounded to half, as on a GPU, which
sums in float32. (Arithmetic in half itself is thirty times slower on a CPU.)
"""

import copy
from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ainet.errors import ModelError
from ainet.export.agreement import BOUNDS, Agreement
from ainet.export.search import Found, Progress, keep_in_float
from ainet.training.networks import UNet
from ainet.training.networks.implantation import Implantation


def layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers that have weights, by name."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, Implantation)
    return {name: module for name, module in network.named_modules() if isinstance(module, kinds)}


def first_layer(network: nn.Module) -> str:
    """The name of the layer that reads the image."""
    return next(iter(layers(network)))


def choose_islands(network: UNet, inputs: Sequence[Tensor], progress: Progress = lambda what, done, total: None) -> Found:
    """As few layers beside the first as it takes for the bounds of fp16; those first that alone suffer most.

    Args:
        network: deployable, in float32.
        inputs: normalised images, each (1, 3, h, w), h and w multiples of 16.
        progress: told which model is being compared, and how many of how many models are done.

    Raises:
        ModelError: not even with half of the layers in float32.
    """
    first = first_layer(network)
    with torch.inference_mode():
        expected = [network(image).numpy() for image in inputs]

    def agreement_with(islands: Collection[str]) -> Agreement:
        rounded = _rounded(network, {first, *islands})
        agreement = Agreement()
        with torch.inference_mode():
            for image, logits in zip(inputs, expected, strict=True):
                agreement.add(logits, rounded(image).numpy(), "logits")
        return agreement

    try:
        others = [name for name in layers(network) if name != first]
        return keep_in_float(others, agreement_with, BOUNDS["fp16"], progress=progress)
    except ModelError as error:
        raise ModelError(f"half precision will not do: {error}; use --precision fp32") from error


def _rounded(network: UNet, islands: Collection[str]) -> UNet:
    """A copy that gives what half precision would, save for `islands`."""
    result = copy.deepcopy(network)
    weighted = layers(result)
    in_half = True
    for name, module in result.named_modules():
        if name in weighted:
            in_half = name not in islands
        elif not isinstance(module, nn.LeakyReLU):  # it has the type of the layer that it follows
            continue
        if in_half:
            for parameter in module.parameters():
                parameter.data = _round(parameter.data)
            module.register_forward_pre_hook(lambda _, arguments: tuple(map(_round, arguments)))
            module.register_forward_hook(lambda _, arguments, output: _round(output))
    return result


def _round(values: Tensor) -> Tensor:
    return values.half().float()


def to_half(network: UNet, islands: Collection[str] = ()) -> UNet:
    """`network` in half precision, in place, save for its first layer and `islands`, whose outputs are float32 up to the next layer."""
    in_float = {first_layer(network), *islands}
    for name, layer in layers(network).items():
        parent, _, last = name.rpartition(".")
        network.get_submodule(parent)._modules[last] = _InType(layer, torch.float32 if name in in_float else torch.float16)
    return network


class _InType(nn.Module):
    """A layer that computes in `dtype`, whatever it reads."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.dtype = layer.to(dtype), dtype

    def forward(self, *inputs: Tensor) -> Any:
        return self.layer(*(values.to(self.dtype) for values in inputs))
