"""fp32 islands: layers of a network in half precision that stay in float32, chosen by what their rounding costs.

    choice = choose_islands(deployable(network), inputs)
    WithOutput(network, "logits", "fp16", choice.layers)     # none where half precision alone is good enough

The rounding is simulated in float32: weights, and what a layer reads and gives, are rounded to half, as on a GPU, which
sums in float32. (Arithmetic in half itself is thirty times slower on a CPU.)
"""

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ainet.errors import ModelError
from ainet.training.networks import UNet
from ainet.training.networks.implantation import Implantation

MIN_AGREEMENT = 0.999  # share of pixels whose best cell is that of the network in float32
MAX_ISLANDS = 0.5  # share of the layers; with more of them in float32 a model is not worth the name


@dataclass(frozen=True)
class Choice:
    """`layers`: which stay in float32. Share of pixels whose best cell is right: `half` without islands, `agreement` with them."""

    layers: tuple[str, ...]
    half: float
    agreement: float


def layers(network: nn.Module) -> dict[str, nn.Module]:
    """The layers that have weights, by name."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, Implantation)
    return {name: module for name, module in network.named_modules() if isinstance(module, kinds)}


def choose_islands(network: UNet, inputs: Sequence[Tensor], progress: Callable[[int, int], None] = lambda done, total: None) -> Choice:
    """As few layers as it takes for `MIN_AGREEMENT`, those first that alone gain most.

    Args:
        network: deployable, in float32.
        inputs: normalised images, each (1, 3, h, w), h and w multiples of 16.
        progress: told how many of how many measurements are done, where layers have to be looked for.

    Raises:
        ModelError: not even with half of the layers in float32.
    """
    with torch.inference_mode():
        expected = [network(image).argmax(1) for image in inputs]

        def agreement(islands: Collection[str]) -> float:
            rounded = _rounded(network, islands)
            equal = [(rounded(image).argmax(1) == best).double().mean() for image, best in zip(inputs, expected, strict=True)]
            return float(torch.stack(equal).mean())

        half = agreement(())
        if half >= MIN_AGREEMENT:
            return Choice((), half, half)
        names = list(layers(network))
        most = int(len(names) * MAX_ISLANDS)
        alone = {}
        for done, name in enumerate(names):
            progress(done, len(names) + most)
            alone[name] = agreement((name,))
        order = sorted(names, key=lambda name: -alone[name])
        best = half
        for count in range(1, most + 1):
            progress(len(names) + count, len(names) + most)
            reached = agreement(order[:count])
            if reached >= MIN_AGREEMENT:
                return Choice(tuple(name for name in names if name in order[:count]), half, reached)
            best = max(best, reached)
    raise ModelError(
        f"half precision gives the right cell to {best:.2%} of the pixels, with {most} of {len(names)} layers in float32; "
        f"{MIN_AGREEMENT:.1%} is asked for: use --precision fp32"
    )


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
    """`network` in half precision, in place, save for `islands`, whose outputs are float32 up to the next layer."""
    network.half()
    if islands:
        for name, layer in layers(network).items():
            parent, _, last = name.rpartition(".")
            network.get_submodule(parent)._modules[last] = _InType(layer, torch.float32 if name in islands else torch.float16)
    return network


class _InType(nn.Module):
    """A layer that computes in `dtype`, whatever it reads."""

    def __init__(self, layer: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.layer, self.dtype = layer.to(dtype), dtype

    def forward(self, *inputs: Tensor) -> Any:
        return self.layer(*(values.to(self.dtype) for values in inputs))
