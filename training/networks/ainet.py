"""AINet as the paper has it (Wang et al., "AINet: Association Implantation for Superpixel Segmentation", ICCV 2021)."""

from torch import Tensor, nn

from ainet.spec import EMBEDDING_CHANNELS
from ainet.training.networks.blocks import SpixelUNet, conv
from ainet.training.networks.implantation import CPixImplantation, Implantation, PNborImplantation


class AINet(SpixelUNet):
    """The U-Net with the grid embedding implanted around every pixel before the prediction."""

    def __init__(self, implantation: Implantation | None = None) -> None:
        super().__init__()
        self.bridge_sp1 = conv(256, 64)
        self.bridge_sp2 = conv(64, EMBEDDING_CHANNELS)
        self.merge_sp = nn.Sequential(
            implantation or Implantation(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS),
            nn.BatchNorm2d(EMBEDDING_CHANNELS),
            nn.LeakyReLU(0.1),
            *conv(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS),
        )

    def predict(self, features: list[Tensor], pixel: Tensor) -> Tensor:
        grid = self.bridge_sp2(self.bridge_sp1(features[4]))  # (B, 16, H/16, W/16)
        return self.pred_mask0(self.implant(grid, pixel))

    def implant(self, grid: Tensor, pixel: Tensor) -> Tensor:
        """Grid embedding (B, 16, h, w), pixel embedding (B, 16, 16h, 16w) -> implanted embedding (B, 16, 16h, 16w)."""
        return self.merge_sp[1:](self.merge_sp[0](grid, pixel))


class AINetPNbor(AINet):
    """The paper's variant that implants neighbouring pixels beside the cells (its Sec. 4.3)."""

    def __init__(self) -> None:
        super().__init__(PNborImplantation(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS))


class AINetCPix(AINet):
    """The paper's variant that leaves the pixel's own cell out (its Sec. 4.3)."""

    def __init__(self) -> None:
        super().__init__(CPixImplantation(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS))
