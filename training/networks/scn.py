"""SCN: the U-Net alone (Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020)."""

from torch import Tensor

from ainet.training.networks.blocks import SpixelUNet


class SCN(SpixelUNet):
    """Predicts the association map straight from the pixel embedding."""

    def predict(self, features: list[Tensor], pixel: Tensor) -> Tensor:
        return self.pred_mask0(pixel)
