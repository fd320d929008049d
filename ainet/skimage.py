"""scikit-image's call, `skimage.segmentation.slic`, answered by AINet:

    from ainet.skimage import slic
    labels = slic(image, n_segments=250, start_label=0)

scikit-image itself is not needed for it.
"""

from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from ainet.arguments import checked_integer
from ainet.errors import ImageError, UsageError
from ainet.images import as_array, as_rgb
from ainet.one_call import segment


def slic(
    image: Any,
    n_segments: SupportsIndex = 100,
    compactness: Any = None,
    max_num_iter: Any = None,
    sigma: Any = None,
    spacing: Any = None,
    convert2lab: Any = None,
    enforce_connectivity: bool = True,
    min_size_factor: Any = None,
    max_size_factor: Any = None,
    slic_zero: Any = None,
    start_label: SupportsIndex = 1,
    mask: Any = None,
    *,
    channel_axis: int | None = -1,
) -> NDArray[np.intp]:
    """Segment an image with the default model on the fastest device that works, by the signature of scikit-image 0.26.

    Args:
        image: grey, RGB or RGBA, uint8 in [0, 255] or float in [0, 1], of 16 x 16 pixels or more. scikit-image stretches floats of any
            range; here other ranges are an error, since the network has learned what black and white are.
        n_segments: how many superpixels.
        start_label: 0 or 1. scikit-image's functions for regions want 1, LIME wants 0.
        mask: (H, W) bool; superpixels lie inside it only, and what is outside has the label `start_label` - 1.
        channel_axis: where the colours stand; None for a grey image (H, W).

    The parameters that steer k-means (compactness, max_num_iter, sigma, spacing, convert2lab, min_size_factor, max_size_factor,
    slic_zero) have no meaning here, and superpixels are always connected.

    Returns:
        labels (H, W), intp as scikit-image's, consecutive from `start_label` in order of first appearance.

    Raises:
        ImageError: an image of another shape, type, range or size.
        UsageError (a ValueError): an argument out of range; a parameter without a meaning here, which the message names.
    """
    meaningless = {
        "compactness": compactness,
        "max_num_iter": max_num_iter,
        "sigma": sigma,
        "spacing": spacing,
        "convert2lab": convert2lab,
        "min_size_factor": min_size_factor,
        "max_size_factor": max_size_factor,
        "slic_zero": slic_zero,
    }
    given = [f"{name}={value!r}" for name, value in meaningless.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)}: the network has no such parameter; leave it out, or use skimage.segmentation.slic")
    if not (isinstance(enforce_connectivity, bool) and enforce_connectivity):
        raise UsageError(f"enforce_connectivity={enforce_connectivity!r}: superpixels of the network are always connected; leave it out")
    first = checked_integer("start_label", start_label)
    if first not in (0, 1):
        raise UsageError(f"start_label={start_label!r}: choose 0 or 1, as of skimage.segmentation.slic")
    pixels = _channels_last(image, channel_axis)
    if mask is None:
        return segment(pixels, n_segments, start_label=first).astype(np.intp)
    return segment(pixels, n_segments, mask=mask, start_label=1).astype(np.intp) + (first - 1)


def _channels_last(image: Any, channel_axis: int | None) -> NDArray[Any]:
    """The image as (H, W) or (H, W, C)."""
    array = as_rgb(image) if isinstance(image, Image) else as_array(image)
    if channel_axis is None:
        if array.ndim != 2:
            raise ImageError(f"channel_axis=None means a grey image (H, W), not one of shape {array.shape}; volumes are not supported")
        return array
    if array.ndim != 3:
        raise ImageError(f"an image of shape {array.shape} has no channels at axis {channel_axis}; for grey (H, W) use channel_axis=None")
    try:
        return np.moveaxis(array, channel_axis, -1)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"channel_axis={channel_axis!r}: an image of shape {array.shape} has the axes -3 to 2") from None
