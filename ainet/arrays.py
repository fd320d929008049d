"""Checks of arguments that are arrays, and of colours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError, short


def checked_array(name: str, value: Any) -> NDArray[Any]:
    """The argument `name` as an array: lists are converted, and so is what other libraries call an array.

    Raises:
        UsageError: it is none, or a `numpy.ma` array that hides some of its values.
    """
    check_unmasked(name, value)
    try:
        return np.asarray(value)
    except Exception as error:  # of whichever library it is
        raise UsageError(f"{name} must be an array, not this {type(value).__name__} ({error}); convert it first") from error


def hides_values(value: Any) -> bool:
    """Whether it is a `numpy.ma` array that masks some of its values."""
    return isinstance(value, np.ma.MaskedArray) and bool(np.ma.is_masked(value))


def check_unmasked(name: str, value: Any) -> None:
    """Raise `UsageError` for an array that `hides_values`, where these would be taken for others."""
    if hides_values(value):
        raise UsageError(f"{name} is a masked array; fill what it hides, such as with .filled(0)")


def checked_labels(labels: Any, name: str = "labels") -> NDArray[np.integer[Any]]:
    """The argument `name`, labels (H, W), as an array.

    Raises:
        UsageError: they are no such array of integers, or empty.
    """
    array = checked_array(name, labels)
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.size == 0:
        raise UsageError(f"{name} must be a non-empty (H, W) array of integers, not {array.dtype} of shape {array.shape}")
    return array


def ids_outside(labels: NDArray[np.integer[Any]]) -> str | None:
    """What is wrong with ids outside [0, 2**31), or None where there are none."""
    low, high = int(labels.min()), int(labels.max())
    return f"ids from {low} to {high}; relabel them to lie in [0, 2**31)" if low < 0 or high >= 2**31 else None


def checked_mask(mask: Any, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The argument `mask` as an array of booleans, True inside.

    shape: (H, W) of the image.

    Raises:
        UsageError: it is no such array, or True nowhere.
    """
    inside = checked_array("mask", mask)
    if inside.dtype.kind != "b":
        raise UsageError(f"mask must be an array of booleans, not of {inside.dtype}; compare its values first, e.g. mask > 0")
    check_size_of("mask", inside, shape)
    if not inside.any():
        raise UsageError("the mask has no pixel inside, so there is nothing to segment; is it inverted?")
    return inside


def check_size_of(name: str, array: NDArray[Any], shape: tuple[int, ...]) -> None:
    """Raise `UsageError` unless the argument `name` has the size of the image, (H, W)."""
    if array.shape != shape:
        raise UsageError(f"{name} has the shape {array.shape}, but the image {shape}; they must be of one size")


def checked_colour(colour: Any) -> NDArray[np.uint8]:
    """R, G, B as uint8, from whole numbers in 0..255 or floats in [0, 1].

    Raises:
        UsageError: it is no such colour.
    """
    values = checked_array("colour", colour)
    if values.shape == (3,) and values.dtype.kind in "iu" and values.min() >= 0 and values.max() <= 255:
        return values.astype(np.uint8)
    if values.shape == (3,) and values.dtype.kind == "f" and values.min() >= 0 and values.max() <= 1:
        return np.round(values * 255).astype(np.uint8)
    raise UsageError(f"colour must be R, G, B: three whole numbers in 0..255 or three floats in [0, 1], not {short(colour)}")
