"""scikit-image's call, `skimage.segmentation.slic`, answered by AINet:

    from ainet.skimage import slic
    labels = slic(image, n_segments=250, start_label=0)

scikit-image itself is not needed for it.
"""

import inspect
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from ainet.arguments import checked_integer
from ainet.arrays import checked_array
from ainet.errors import ImageError, UsageError, short
from ainet.images import as_array, as_mask, as_rgb
from ainet.one_call import segment


def slic(
    image: Any,
    n_segments: SupportsIndex = 100,
    compactness: float = 10.0,
    max_num_iter: int = 10,
    sigma: Any = 0,
    spacing: Any = None,
    convert2lab: bool | None = None,
    enforce_connectivity: bool = True,
    min_size_factor: float = 0.5,
    max_size_factor: float = 3,
    slic_zero: bool = False,
    start_label: SupportsIndex = 1,
    mask: Any = None,
    *,
    channel_axis: int | None = -1,
) -> NDArray[np.intp]:
    """Segment an image with the default model on the fastest device that works, by the signature of scikit-image 0.26.

    Args:
        image: grey, RGB or RGBA, uint8 in [0, 255] or float in [0, 1], of 16 x 16 pixels or more. scikit-image stretches floats of any
            range; here other ranges are an error, since the network has learned what black and white are.
        n_segments: how many superpixels, exactly.
        start_label: 0 or 1. scikit-image's functions for regions want 1, LIME wants 0.
        mask: (H, W) bool, or numbers that are not 0 inside; superpixels lie inside it only, and what is outside has the label
            `start_label` - 1. Floats outside it may be NaN. The mask of a `numpy.ma` array counts as one of what is outside.
        channel_axis: where the colours stand; None for a grey image (H, W).

    The other parameters steer k-means and have no meaning here: they take the values that scikit-image has by default, `convert2lab`
    also True, and no others. Superpixels are always connected.

    Returns:
        labels (H, W), intp as scikit-image's, consecutive from `start_label` in order of first appearance.

    Raises:
        ImageError: an image of another shape, type, range or size.
        UsageError (a ValueError): an argument out of range; a parameter without a meaning here, which the message names.
    """
    _check_meaningless(
        compactness=compactness,
        max_num_iter=max_num_iter,
        sigma=sigma,
        spacing=spacing,
        convert2lab=None if convert2lab is True else convert2lab,  # of RGB both are the same
        enforce_connectivity=enforce_connectivity,
        min_size_factor=min_size_factor,
        max_size_factor=max_size_factor,
        slic_zero=slic_zero,
    )
    first = checked_integer("start_label", start_label)
    if first not in (0, 1):
        raise UsageError(f"start_label={short(start_label)}: choose 0 or 1, as of skimage.segmentation.slic")
    pixels = _channels_last(image, channel_axis)
    inside = _inside(pixels, mask)
    if inside is None:
        return segment(pixels, n_segments, start_label=first).astype(np.intp)
    return segment(np.asarray(pixels), n_segments, mask=inside, start_label=1).astype(np.intp) + (first - 1)


def _check_meaningless(**values: Any) -> None:
    """Raise `UsageError` where a parameter without a meaning here has another value than by default."""
    parameters = inspect.signature(slic).parameters
    wrong = []
    for name, value in values.items():
        default = parameters[name].default
        if not (value is default or np.array_equal(value, default)):
            wrong.append(f"{name}={short(value)}")
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)}: the network has no such parameter, so scikit-image's default alone is taken; leave it out, or use "
            "skimage.segmentation.slic"
        )


def _channels_last(image: Any, channel_axis: int | None) -> NDArray[Any]:
    """The image as (H, W) or (H, W, C)."""
    array = as_rgb(image) if isinstance(image, Image) else as_array(image)
    if array.ndim > 3:
        raise ImageError(f"an image of shape {array.shape} is a volume or a batch; pass one image, (H, W, C) or (H, W), at a time")
    if channel_axis is None:
        if array.ndim == 3:
            raise ImageError(f"channel_axis=None means a grey image (H, W), not one of shape {array.shape}; volumes are not supported")
        return array
    axis = checked_integer("channel_axis", channel_axis)
    if array.ndim != 3:
        raise ImageError(f"an image of shape {array.shape} has no channels at axis {axis}; for grey (H, W) use channel_axis=None")
    if not -3 <= axis < 3:
        raise UsageError(f"channel_axis={axis}: an image of shape {array.shape} has the axes -3 to 2")
    return np.moveaxis(array, axis, -1)


def _inside(image: NDArray[Any], mask: Any) -> Any:
    """The mask, True inside, that of a `numpy.ma` array too; numbers count as in scikit-image. None where there is none."""
    found = as_mask(image, mask)
    if found is None:
        return None
    values = checked_array("mask", found)
    return values != 0 if values.dtype.kind in "iuf" else values
