"""BatchNorm folded into the convolution before it, for networks that are through with training."""

import copy

from torch import nn
from torch.nn.utils import fuse_conv_bn_weights

from ainet.training.networks.blocks import UNet
from ainet.training.networks.implantation import Implantation


def deployable(network: UNet) -> UNet:
    """A copy of `network` in eval mode whose BatchNorms are folded into the convolution before them."""
    folded = copy.deepcopy(network).eval()
    for sequence in [m for m in folded.modules() if isinstance(m, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            layer, norm = sequence[index], sequence[index + 1]
            if isinstance(layer, nn.Conv2d | Implantation) and isinstance(norm, nn.BatchNorm2d):
                assert norm.running_mean is not None and norm.running_var is not None
                layer.weight, layer.bias = fuse_conv_bn_weights(
                    layer.weight, layer.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
                )
                sequence[index + 1] = nn.Identity()
    return folded
