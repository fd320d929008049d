"""Bands and depth: pixels of any type and number of bands to RGB of 8 bits, by a range that is stated.

    rgb = to_rgb(pixels, "scan.tif", stretch="percentile", bands=(4, 3, 2))

| stretch | the value that becomes 0 | and 255 |
|---|---|---|
| None | 0; of floats 0.0 | 255; of floats 1.0; other types are refused |
| "none" | the least value of the type; of floats 0.0 | the largest; of floats 1.0 |
| "minmax" | the least value in the image | the largest |
| "percentile" | the 2nd percentile of the values in the image | the 98th |
| (low, high), "low,high" | low | high |

One range holds for all bands, so that colours keep their balance. Values beyond it become 0 or 255, NaN becomes 0. Of images of more than
268 million values, such as 89 megapixels of RGB, the percentiles are those of every n-th row.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ainet.arguments import checked_integer
from ainet.errors import ImageError, UsageError, short
from ainet.scratch import allocate

Stretch: TypeAlias = str | tuple[float, float] | None
Bands: TypeAlias = str | Sequence[SupportsIndex] | None

WORDS = ("minmax", "percentile", "none")
PERCENTILES = (2, 98)
ROWS = 256  # converted at a time, so that floats of a large image need little memory
MAX_VALUES = 2**28  # that the range is taken from; of larger images every n-th row counts


@dataclass(frozen=True)
class Advice:
    """What can be done at the call that an image was passed to: of values in another range, too many bands, and NaN or infinity."""

    stretch: str
    bands: str
    not_finite: str


AT_READING = Advice(
    f"say with stretch= (--stretch) what becomes black and white: {', '.join(WORDS)}, or a range such as 0,4095",
    "choose some of more bands with bands= (--bands), such as 3,2,1",
    "a range such as 0,1 by stretch= (--stretch) makes NaN black",
)
OF_ARRAYS = Advice(
    "make it uint8 first, such as by ainet.read_image(image, stretch='minmax')",
    "choose some of more bands first, such as by ainet.read_image(image, bands=(3, 2, 1))",
    "replace them first, such as by numpy.nan_to_num(image, posinf=1, neginf=0)",
)
BESIDE_A_MASK = replace(OF_ARRAYS, not_finite=f"{OF_ARRAYS.not_finite}, or leave these pixels out by mask=")


def to_rgb(pixels: NDArray[Any], name: str, stretch: Stretch = None, bands: Bands = None, advice: Advice = AT_READING) -> NDArray[np.uint8]:
    """Pixels (H, W) or (H, W, C) -> RGB uint8 (H, W, 3), C-contiguous; errors call the image `name`.

    Args:
        pixels: grey (C = 1), RGB, RGBA whose alpha is dropped; any C with `bands`. What a `numpy.ma` array masks may be any number.
        stretch: how values become 0..255, see above.
        bands: one band or three, counted from 1.
        advice: what errors recommend.

    Raises:
        ImageError: another shape; a type that has no range, or values outside it; a `stretch` for values of another.
        UsageError: no such stretch, no such bands.
    """
    limits = checked_stretch(stretch)
    chosen = checked_bands(bands)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    if pixels.ndim != 3:
        raise _wrong_shape(pixels, name, advice)
    if chosen is not None:
        pixels = _bands(pixels, chosen, name)
    elif pixels.shape[2] not in (1, 3, 4):
        raise _wrong_shape(pixels, name, advice)
    pixels = pixels[:, :, :3]
    if pixels.dtype.kind not in "uif":
        raise ImageError(f"{name} must be uint8, or floating-point in [0, 1], not {pixels.dtype}; convert it first")
    if pixels.size and not (pixels.dtype == np.uint8 and limits in (None, "none")):
        low, high = _range(pixels, limits, name, advice)
        pixels = _levels(np.asarray(pixels), low, high)
    pixels = np.asarray(pixels)  # of a masked array, and of one on disk, the array
    if pixels.shape[2] == 3 and pixels.flags.c_contiguous:
        return pixels
    rgb = allocate((*pixels.shape[:2], 3), np.uint8)
    rgb[...] = pixels
    return rgb


def checked_stretch(stretch: Any) -> Stretch:
    """The stretch as a word of `WORDS`, a range or None; a range may also be written "low,high".

    Raises:
        UsageError: it is none of them.
    """
    if stretch is None or (isinstance(stretch, str) and stretch in WORDS):
        return stretch
    try:
        low, high = map(float, _in_order(stretch))
    except (TypeError, ValueError, OverflowError):  # the last of an integer that no float can hold
        raise UsageError(f"stretch must be one of {', '.join(WORDS)}, or a range such as 0,4095, not {short(stretch)}") from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise UsageError(f"stretch={low:g},{high:g} is no range: the first value becomes black, the second, which is larger, white")
    return low, high


def checked_bands(bands: Any) -> tuple[int, ...] | None:
    """One or three numbers of bands, from 1, or None; they may also be written "4,3,2".

    Raises:
        UsageError: they are not such numbers.
    """
    if bands is None:
        return None
    as_number = int if isinstance(bands, str) else partial(checked_integer, "bands")
    try:
        numbers = tuple(map(as_number, _in_order(bands)))
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) not in (1, 3) or min(numbers) < 1:
        raise UsageError(f"bands must be one number or three, counted from 1, such as 4,3,2, not {short(bands)}")
    return numbers


def _in_order(values: Any) -> Iterable[Any]:
    """The entries of a list, or of text with commas; a set or a dictionary has no order that anybody would mean."""
    if isinstance(values, Set | Mapping | bytes | bytearray):
        raise TypeError
    return values.split(",") if isinstance(values, str) else values


def _bands(pixels: NDArray[Any], bands: tuple[int, ...], name: str) -> NDArray[Any]:
    count = pixels.shape[2]
    if max(bands) > count:
        raise UsageError(f"{name} has {count} bands, so there is no band {max(bands)}; choose from 1 to {count}")
    chosen = allocate((*pixels.shape[:2], len(bands)), pixels.dtype)
    for place, band in enumerate(bands):
        chosen[:, :, place] = pixels[:, :, band - 1]
    return chosen


def _wrong_shape(pixels: NDArray[Any], name: str, advice: Advice) -> ImageError:
    ending = ""
    if pixels.shape == (0,):
        ending = "; this is an empty list: pass at least one image"
    elif pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4):
        ending = "; colours come last: numpy.moveaxis(image, 0, -1)"
    elif pixels.ndim == 3:
        ending = f"; {advice.bands}"
    return ImageError(f"{name} must have shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not {pixels.shape}{ending}")


def _range(pixels: NDArray[Any], stretch: Stretch, name: str, advice: Advice) -> tuple[float, float]:
    """The values that become 0 and 255."""
    if isinstance(stretch, tuple):
        if pixels.dtype.kind != "f":
            _check_range(stretch, np.iinfo(pixels.dtype), name)
        return stretch
    if stretch in (None, "none") and pixels.dtype.kind == "f":
        least, largest = float(pixels.min()), float(pixels.max())
        if not np.isfinite([least, largest]).all():  # NaN is the least and the largest where there is one
            count = int((~np.isfinite(pixels)).any(axis=2).sum())
            raise ImageError(f"{name} has NaN or infinite values in {count} pixels: {advice.not_finite}")
        if not (least * 255 >= -0.5 and largest * 255 <= 255.5):  # what rounds to 0..255
            raise ImageError(
                f"{name} must lie in [0, 1], where it is floating-point; its values go from {least:g} to {largest:g}: "
                f"divide it by its maximum, or {advice.stretch}"
            )
        return 0, 1
    if stretch is None:
        raise ImageError(f"{name} is not of 8 bits: {pixels.dtype} values from {pixels.min()} to {pixels.max()}; {advice.stretch}")
    if stretch == "none":
        kind = np.iinfo(pixels.dtype)
        return int(kind.min), int(kind.max)
    if stretch == "percentile":
        pixels = pixels[:: -(-pixels.size // MAX_VALUES)]
        values = pixels[np.isfinite(pixels)] if pixels.dtype.kind == "f" else pixels
        low, high = np.percentile(values, PERCENTILES) if values.size else (np.nan, np.nan)
    else:
        low, high = _least_and_largest(pixels)
    if np.isnan(low):
        raise ImageError(f"{name} has no finite value to stretch; is it empty of data?")
    return float(low), float(high)


def _check_range(stretch: tuple[float, float], kind: Any, name: str) -> None:
    """Raise `ImageError` for a range that was meant for other values: it would make all of these dark, or black, or white."""
    if stretch[1] > 2 * kind.max or stretch[0] >= kind.max or stretch[1] <= kind.min:
        raise ImageError(
            f"{name} has {kind.dtype} values, which go from {kind.min} to {kind.max}; stretch={stretch[0]:g},{stretch[1]:g} is for others: "
            "choose a range of these, or read it without one"
        )


def _least_and_largest(pixels: NDArray[Any]) -> tuple[float, float]:
    """Of the finite values, NaN where there are none."""
    low, high = [], []
    for top in range(0, len(pixels), ROWS):
        rows = pixels[top : top + ROWS]
        values = rows[np.isfinite(rows)] if rows.dtype.kind == "f" else rows
        if values.size:
            low.append(float(values.min()))
            high.append(float(values.max()))
    return (min(low), max(high)) if low else (np.nan, np.nan)


def _levels(pixels: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Values to 0..255, rounded. An image of one value becomes black."""
    levels = allocate(pixels.shape, np.uint8)
    for top in range(0, len(pixels), ROWS):
        values = pixels[top : top + ROWS].astype(np.float64)
        with np.errstate(over="ignore"):
            shares = (values - low) / max(high - low, np.finfo(float).tiny)
        shares[np.isnan(shares)] = 0
        levels[top : top + ROWS] = np.round(np.clip(shares, 0, 1) * 255)
    return levels
