"""AINet-lite: AINet in a fifth of the multiplications, for phones and browsers.

Everything happens at half the resolution and below: the first layer steps over two pixels at once, and the last one gives the scores of
the four pixels of each place. Beside that, narrower layers and AINet's association implantation as it is.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ainet.spec import CELL_SIZE, EMBEDDING_CHANNELS, NEIGHBOURS
from ainet.training.networks.blocks import UNet, conv, deconv
from ainet.training.networks.implantation import Implantation

STEP = 2  # pixels of the image to one place of the finest layer, in each direction


class AINetLite(UNet):
    """1.4 GMAC at 320 x 480 and 0.39 million parameters; AINet has 7.3 and 2.4."""

    embedding_step = STEP
    border_channels = (EMBEDDING_CHANNELS, 16, 32)

    def __init__(self) -> None:
        super().__init__()
        first = nn.Conv2d(3, 16, 3 * STEP, STEP, padding=STEP, bias=False)  # a 3x3 convolution of places of 2x2 pixels
        self.conv1a = nn.Sequential(first, nn.BatchNorm2d(16), nn.LeakyReLU(0.1))
        self.conv1b = conv(16, 16)
        self.conv2a = conv(16, 32, stride=2)
        self.conv2b = conv(32, 32)
        self.conv3a = conv(32, 48, stride=2)
        self.conv3b = conv(48, 48)
        self.conv4a = conv(48, 96, stride=2)
        self.conv4b = conv(96, 96)
        self.deconv3 = deconv(96, 48)
        self.conv3_1 = conv(96, 48)
        self.deconv2 = deconv(48, 32)
        self.conv2_1 = conv(64, 32)
        self.deconv1 = deconv(32, 16)
        self.conv1_1 = conv(32, EMBEDDING_CHANNELS)
        self.bridge_sp1 = conv(96, 32)
        self.bridge_sp2 = conv(32, EMBEDDING_CHANNELS)
        self.merge_sp = nn.Sequential(
            Implantation(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS, places=CELL_SIZE // STEP),
            nn.BatchNorm2d(EMBEDDING_CHANNELS),
            nn.LeakyReLU(0.1),
            *conv(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS),
        )
        self.pred_mask0 = nn.Conv2d(EMBEDDING_CHANNELS, NEIGHBOURS * STEP**2, 3, padding=1)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> features of 16, 32, 48, 96 channels at 1/2, 1/4, 1/8, 1/16 of H x W."""
        features = [self.conv1b(self.conv1a(image))]
        features.append(self.conv2b(self.conv2a(features[-1])))
        features.append(self.conv3b(self.conv3a(features[-1])))
        features.append(self.conv4b(self.conv4a(features[-1])))
        return features

    def decode(self, features: list[Tensor]) -> Tensor:
        """The encoder's features -> embedding (B, 16, H/2, W/2)."""
        x = self.conv3_1(torch.cat((features[2], self.deconv3(features[3])), 1))
        x = self.conv2_1(torch.cat((features[1], self.deconv2(x)), 1))
        return self.conv1_1(torch.cat((features[0], self.deconv1(x)), 1))

    def predict(self, features: list[Tensor], pixel: Tensor) -> Tensor:
        """The encoder's features and the embedding -> logits (B, 9, H, W)."""
        grid = self.bridge_sp2(self.bridge_sp1(features[3]))  # (B, 16, H/16, W/16)
        implanted = self.merge_sp[1:](self.merge_sp[0](grid, pixel))
        return F.pixel_shuffle(self.pred_mask0(implanted), STEP)

    def border_sources(self, features: list[Tensor], pixel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return pixel, features[0], features[1]
