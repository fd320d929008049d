"""Colours in CIELAB, on any device."""

import torch
from torch import Tensor

# sRGB, white point D65 for the observer of 2 degrees; the values that scikit-image uses.
XYZ_OF_RGB = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE = (0.95047, 1.0, 1.08883)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """sRGB (B, 3, H, W), floats in 0..1 -> CIELAB of the same shape, L in 0..100 (CIE 15; IEC 61966-2-1)."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055).clamp(min=0) ** 2.4, rgb / 12.92)
    matrix = rgb.new_tensor(XYZ_OF_RGB) / rgb.new_tensor(WHITE)[:, None]
    xyz = torch.einsum("ij,bjhw->bihw", matrix, linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp(min=0) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), 1)
