"""What the networks have in common, and the layers of SCN (Yang et al., CVPR 2020, "SpixelNet1l_bn"), which AINet builds on.

Attribute names are those of the public checkpoints, so a public state dict loads by its keys.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.spec import EMBEDDING_CHANNELS, NEIGHBOURS


def conv(in_channels: int, out_channels: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """3x3 convolution without bias, BatchNorm, LeakyReLU 0.1."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(out_channels),
        nn.LeakyReLU(0.1),
    )


def deconv(in_channels: int, out_channels: int) -> nn.Sequential:
    """Transposed 4x4 convolution that doubles the resolution, LeakyReLU 0.1."""
    return nn.Sequential(nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1), nn.LeakyReLU(0.1))


class UNet(nn.Module):
    """Encoder to 1/16 resolution, decoder back to a 16-channel pixel embedding, and a prediction of the nine cells around each pixel."""

    embedding_step = 1  # pixels of the image to one place of the pixel embedding, in each direction
    border_channels = (EMBEDDING_CHANNELS, 32, 64)  # of `border_sources`

    def encode(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> the encoder's features, from fine to coarse; the last are at 1/16 of H x W."""
        raise NotImplementedError

    def decode(self, features: list[Tensor]) -> Tensor:
        """The encoder's features -> pixel embedding (B, 16, H, W), for networks of a larger `embedding_step` less fine."""
        raise NotImplementedError

    def predict(self, features: list[Tensor], pixel: Tensor) -> Tensor:
        """The encoder's features and the pixel embedding -> logits (B, 9, H, W)."""
        raise NotImplementedError

    def border_sources(self, features: list[Tensor], pixel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a border map is made of (see `ainet.training.merging`): maps at 1/2, 1/2 and 1/4 of H x W."""
        return F.avg_pool2d(pixel, 2), features[1], features[2]

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised image (B, 3, H, W), H and W multiples of 16 -> logits (B, 9, H, W), pixel embedding (B, 16, H, W)."""
        features = self.encode(image)
        pixel = self.decode(features)
        return self.predict(features, pixel), pixel

    def with_border_sources(self, image: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
        """The same image -> logits (B, 9, H, W), and the `border_sources`."""
        features = self.encode(image)
        pixel = self.decode(features)
        return self.predict(features, pixel), self.border_sources(features, pixel)

    def forward(self, image: Tensor) -> Tensor:
        """Normalised RGB image (B, 3, H, W), H and W multiples of 16 -> logits (B, 9, H, W).

        Their softmax over the 9 channels is the association map Q.
        """
        return self.features(image)[0]


class SpixelUNet(UNet):
    """The layers that SCN and AINet share."""

    def __init__(self) -> None:
        super().__init__()
        self.conv0a = conv(3, 16)
        self.conv0b = conv(16, 16)
        self.conv1a = conv(16, 32, stride=2)
        self.conv1b = conv(32, 32)
        self.conv2a = conv(32, 64, stride=2)
        self.conv2b = conv(64, 64)
        self.conv3a = conv(64, 128, stride=2)
        self.conv3b = conv(128, 128)
        self.conv4a = conv(128, 256, stride=2)
        self.conv4b = conv(256, 256)
        self.deconv3 = deconv(256, 128)
        self.conv3_1 = conv(256, 128)
        self.deconv2 = deconv(128, 64)
        self.conv2_1 = conv(128, 64)
        self.deconv1 = deconv(64, 32)
        self.conv1_1 = conv(64, 32)
        self.deconv0 = deconv(32, 16)
        self.conv0_1 = conv(32, EMBEDDING_CHANNELS)
        self.pred_mask0 = nn.Conv2d(EMBEDDING_CHANNELS, NEIGHBOURS, 3, padding=1)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> features of 16, 32, 64, 128, 256 channels at 1, 1/2, 1/4, 1/8, 1/16 of H x W."""
        features = [self.conv0b(self.conv0a(image))]  # (B, 16, H, W)
        features.append(self.conv1b(self.conv1a(features[-1])))  # (B, 32, H/2, W/2)
        features.append(self.conv2b(self.conv2a(features[-1])))  # (B, 64, H/4, W/4)
        features.append(self.conv3b(self.conv3a(features[-1])))  # (B, 128, H/8, W/8)
        features.append(self.conv4b(self.conv4a(features[-1])))  # (B, 256, H/16, W/16)
        return features

    def decode(self, features: list[Tensor]) -> Tensor:
        """The encoder's features -> pixel embedding (B, 16, H, W)."""
        x = features[4]
        x = self.conv3_1(torch.cat((features[3], self.deconv3(x)), 1))  # (B, 128, H/8, W/8)
        x = self.conv2_1(torch.cat((features[2], self.deconv2(x)), 1))  # (B, 64, H/4, W/4)
        x = self.conv1_1(torch.cat((features[1], self.deconv1(x)), 1))  # (B, 32, H/2, W/2)
        return self.conv0_1(torch.cat((features[0], self.deconv0(x)), 1))  # (B, 16, H, W)


def initialise(module: nn.Module) -> None:
    """Kaiming-normal convolution weights and zero biases, as the public training code starts."""
    for layer in module.modules():
        weight = getattr(layer, "weight", None)
        if isinstance(weight, Tensor) and weight.dim() == 4:
            nn.init.kaiming_normal_(weight, 0.1)
            if isinstance(layer.bias, Tensor):
                nn.init.zeros_(layer.bias)
