"""Checks of arguments that several functions share."""

import math
import operator
import os
from collections.abc import Iterable
from numbers import Real
from typing import Any, SupportsIndex, TypeVar

from ainet.errors import UsageError, short

QUALITIES = ("best", "fast")
MAX_BITS = 4096  # of an integer, far above any that has a meaning
MAX_THREADS = 4096
T = TypeVar("T")


def checked_integer(name: str, value: SupportsIndex) -> int:
    """The argument `name` as an int.

    Raises:
        UsageError: its value is no integer, or of so many digits that Python would not write its square.
    """
    if isinstance(value, bool):
        raise UsageError(f"{name} must be an integer, not {short(value)}")
    try:
        number = operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be an integer, not {short(value)}") from None
    if number.bit_length() > MAX_BITS:
        raise UsageError(f"{name} must be an integer of at most {MAX_BITS} bits, not {short(number)}")
    return number


def checked_number(name: str, value: Any) -> float:
    """The argument `name` as a float.

    Raises:
        UsageError: it is no real number, or not finite.
    """
    number = _as_float(value)
    if not math.isfinite(number):
        raise UsageError(f"{name} must be a number, and finite, not {short(value)}")
    return number


def checked_limit(name: str, value: Any) -> float:
    """The argument `name` as a float, which may be infinite.

    Raises:
        UsageError: it is no real number, or NaN.
    """
    number = _as_float(value)
    if math.isnan(number):
        raise UsageError(f"{name} must be a number, not {short(value)}")
    return number


def checked_threads(threads: SupportsIndex) -> int:
    """How many threads of the CPU, 0 for all cores.

    Raises:
        UsageError: it is no integer from 0 to 4,096.
    """
    number = checked_integer("threads", threads)
    if not 0 <= number <= MAX_THREADS:
        raise UsageError(f"threads={number} is out of range: choose 1 to {MAX_THREADS}, or 0 for all cores")
    return number


def checked_list(name: str, value: Iterable[T]) -> list[T]:
    """The argument `name` as a list.

    Raises:
        UsageError: it is nothing to go through.
    """
    try:
        return list(value)
    except TypeError:
        raise UsageError(f"{name} must be a list, not this {type(value).__name__}") from None


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise `UsageError` unless the argument `name` is one of these words."""
    if not isinstance(value, str) or value not in choices:
        raise UsageError(f"unknown {name} {short(value)}; choose one of {', '.join(choices)}")


def check_quality(quality: str | None, scale: float | None, protocol: str | None) -> str:
    """The quality that a call gets: what does not ask for a count has the plain grid.

    Raises:
        UsageError: there is no such quality, or none for these arguments.
    """
    plain = scale is not None or protocol is not None
    if quality is None:
        return "fast" if plain else "best"
    check_choice("quality", quality, QUALITIES)
    if quality == "best" and plain:
        raise UsageError("quality='best' gives an exact count, which scale= and protocol= have not: leave them out, or quality=")
    return quality


def checked_start(start_label: SupportsIndex) -> int:
    """The label that a label map starts with.

    Raises:
        UsageError: it is no integer, or leaves too few for other labels.
    """
    first = checked_integer("start_label", start_label)
    if abs(first) > 2**30:
        raise UsageError(f"start_label={first} is out of range: labels are 32-bit integers; choose -2**30 to 2**30")
    return first


def is_list_of_images(image: Any) -> bool:
    """Whether this is a list of Pillow images, or of arrays of two and more axes: one of numbers, or of rows, is itself an array.

    One of paths counts too: each is then refused as one path is.
    """
    if not isinstance(image, list | tuple) or not image:
        return False
    if isinstance(image[0], str | bytes | os.PathLike):
        return True
    return hasattr(image[0], "getbands") or getattr(image[0], "ndim", 0) >= 2  # Pillow is not imported here, as the command line starts so


def check_one_image(mask: Any, within: Any) -> None:
    """Raise `UsageError` where several images come with a mask or borders."""
    if not (mask is None and within is None):
        raise UsageError("mask= and within= go with one image; segment the images of a batch one by one")


def check_on_device(quality: str | None, mask: Any, within: Any, start_label: SupportsIndex | None) -> None:
    """Raise `UsageError` for what an array on a GPU cannot have: it gets the plain grid, whose labels start at 0."""
    if quality is not None:
        check_choice("quality", quality, QUALITIES)
    if quality == "best":
        raise UsageError("quality='best' is computed on the host, and the image is on a GPU: copy it to the host, or leave quality= out")
    if not (mask is None and within is None):
        raise UsageError("mask= and within= are not for arrays on a GPU: copy the image to the host")
    if start_label is not None and checked_start(start_label) != 0:
        raise UsageError(f"labels on a GPU start at 0, not at start_label={start_label}; add it to them there")


def _as_float(value: Any) -> float:
    """A real number, or an array of one without axes, as a float; NaN for anything else."""
    if getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M"):  # times, of which those without a unit have integers as items
        return math.nan
    number = value.item() if getattr(value, "shape", None) == () else value
    if isinstance(number, bool) or not isinstance(number, Real):
        return math.nan
    try:
        return float(number)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
