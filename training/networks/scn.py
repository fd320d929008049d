"""SCN: the U-Net alone (Yang et al., "Superpixel Segmentation with Fully Convolutional Networks", CVPR 2020)."""

from torch import Tensor

from ainet.training.networks.blocks import UNet


class SCN(UNet):
    """Predicts the association map straight from the pixel embedding."""

    def features(self, image: Tensor) -> tuple[Tensor, Tensor]:
        embedding = self.decode(self.encode(image))  # (B, 16, H, W)
        return self.pred_mask0(embedding), embedding
