"""Optimisation profiles, named by use: the input sizes that an engine is to take.

    320x480                  one size, height x width, batch 1
    8x320x480                the same for batches of exactly 8
    160x160..1088x1920       every size in between, batch 1
    1x320x480..32x320x480    one size, batches of 1 to 32

An engine holds one profile for each name. A profile is tuned for its upper end, where most time goes, but for no
height or width above 2048, as the largest tile of the runtime has: timing kernels takes memory, too. At run time an input takes the
smallest profile that holds it. So name what must be fastest on its own, beside the range for the rest.
"""

import re
from collections.abc import Sequence

from ainet.errors import UsageError
from ainet.runtime.engine_file import Profile, Shape
from ainet.spec import CELL_SIZE

# The range holds what the runtime asks of a network: tiles of large images, and working images in one piece of up to 4 : 1.
DEFAULT_SIZES = ("320x480", "480x320", "16x16..4096x4096")
CHANNELS = 32  # of a network's largest map, which is of full resolution: two of 16 joined, before the last layers
LARGEST_TUNED = 2048
MAX_BATCH_PIXELS = (2**31 - 1) // CHANNELS  # of a batch: a tensor of TensorRT has at most 2**31 - 1 elements

_SIZE = r"(?:(\d{1,6})x)?(\d{1,6})x(\d{1,6})"
_PROFILE = re.compile(rf"{_SIZE}(?:\.\.{_SIZE})?")


def parse_profiles(sizes: Sequence[str]) -> tuple[Profile, ...]:
    """Profiles from their names, in the same order.

    Raises:
        UsageError: a name has none of the forms above, a height or width is no multiple of 16, a range runs backwards, a size is
            too large, two names mean the same, or there is none.
    """
    if not sizes:
        raise UsageError("an engine needs at least one input size, such as 320x480")
    profiles: list[Profile] = []
    for text in sizes:
        profile = _parse(text)
        if profile in profiles:
            raise UsageError(f"the size '{text}' is named twice; each profile of an engine must differ from the others")
        profiles.append(profile)
    return tuple(profiles)


def tuned_shape(profile: Profile) -> Shape:
    """The size that a profile is tuned for."""
    batch = profile.largest[0]
    height, width = (max(low, min(high, LARGEST_TUNED)) for low, high in zip(profile.smallest[1:], profile.largest[1:], strict=True))
    return batch, height, width


def _parse(text: str) -> Profile:
    match = _PROFILE.fullmatch(text)
    if match is None:
        raise UsageError(f"cannot read the size '{text}'; write HEIGHTxWIDTH, BATCHxHEIGHTxWIDTH, or a range such as 160x160..1088x1920")
    smallest = _shape(text, match.group(1, 2, 3))
    largest = smallest if match[5] is None else _shape(text, match.group(4, 5, 6))
    for name, low, high in zip(("batch", "height", "width"), smallest, largest, strict=True):
        if low > high:
            raise UsageError(f"the size '{text}' runs backwards: its {name} goes from {low} down to {high}; name the smaller end first")
    return Profile(smallest, largest)


def _shape(text: str, numbers: tuple[str | None, ...]) -> Shape:
    batch, height, width = (int(number or 1) for number in numbers)
    for name, pixels in (("height", height), ("width", width)):
        if pixels % CELL_SIZE or pixels == 0:
            nearest = max(CELL_SIZE, round(pixels / CELL_SIZE) * CELL_SIZE)
            raise UsageError(f"the {name} {pixels} of size '{text}' is not a multiple of {CELL_SIZE}; the nearest is {nearest}")
    if batch == 0:
        raise UsageError(f"the batch of size '{text}' must be at least 1")
    total = batch * height * width
    if total > MAX_BATCH_PIXELS:
        raise UsageError(
            f"the size '{text}' has {total:,} pixels in a batch, more than {MAX_BATCH_PIXELS:,}; lower its batch, height or width"
        )
    return batch, height, width
