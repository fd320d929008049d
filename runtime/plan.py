"""Image plan: from an image's size and the wanted number of superpixels to all that later steps must know.

    plan = plan_image(321, 481, n_segments=600)

Every decision is taken here, once: the working size, whether the network sees it whole or in tiles, how many images at a time.
Only a GPU cuts batches by a limit of its own, see `ainet.runtime.cuda.chunks`.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex

from ainet.arguments import checked_integer, checked_number
from ainet.errors import ImageError, UsageError, short
from ainet.spec import CELL_SIZE

MIN_SIZE = 16  # smallest height and width of an image
MIN_SEGMENTS = 4
MAX_SCALE = 1000.0  # far above what any image can have, and far below where counts of cells overflow
INTERPOLATED, COMPACT = 1, 4  # values of `Plan.smoothing`; why these: docs/accuracy.md
MAX_NETWORK_PIXELS = 2**22  # working pixels that go through a network at once; they take 2.1 GB in OpenVINO, 3.4 in ONNX Runtime

# Public protocol: image size -> working size and number of superpixels at scale 1.
PUBLIC_PROTOCOL = {
    (321, 481): (320, 480, 600),  # BSDS500, landscape
    (481, 321): (480, 320, 600),  # BSDS500, portrait
    (448, 608): (480, 640, 1200),  # NYUv2, cropped
}


@dataclass(frozen=True)
class Plan:
    """What happens to an image of one size; all sizes in pixels.

    The image is resized from `height` x `width` to `working_height` x `working_width` (multiples of 16, one grid cell
    per 16 x 16), and the cell ids back again. Connectivity then merges components below `min_size` pixels and cuts
    those above `max_size`. `public`: ties and the resize back follow the public code; see `postprocess.assign`.
    `compact`: superpixels of more even shapes. `limit`: working pixels that go through the network at once.
    """

    height: int
    width: int
    working_height: int
    working_width: int
    min_size: int
    max_size: int
    public: bool = False
    compact: bool = False
    limit: int = MAX_NETWORK_PIXELS

    def __post_init__(self) -> None:
        if not isinstance(self.compact, bool):
            raise UsageError(f"compact must be True or False, not {short(self.compact)}")

    @property
    def smoothing(self) -> int:
        """Of how many working pixels by how many the mean association is taken and interpolated; 0: the nearest pixel's cell."""
        if self.public:
            return 0
        return COMPACT if self.compact else INTERPOLATED

    @property
    def averages(self) -> bool:
        """Whether each working pixel is the mean of the pixels that it covers: where these are more than four, bicubic aliases."""
        return not self.public and self.height > 2 * self.working_height and self.width > 2 * self.working_width

    @property
    def in_tiles(self) -> bool:
        """Whether the working image is above the limit and goes through the network in overlapping tiles, with the same result."""
        return self.working_height * self.working_width > self.limit and not self.public

    @property
    def chunk_size(self) -> int:
        """How many images go through the network at once."""
        return max(1, self.limit // (self.working_height * self.working_width))

    @property
    def cells(self) -> int:
        """Number of grid cells: the count aimed at. The actual count differs a little, as cells vanish or fall apart."""
        return (self.working_height // CELL_SIZE) * (self.working_width // CELL_SIZE)

    def __str__(self) -> str:
        return f"{self.height}x{self.width} image, {self.cells} cells at working size {self.working_height}x{self.working_width}"


def plan_image(
    height: int,
    width: int,
    n_segments: SupportsIndex = 600,
    *,
    scale: float | None = None,
    protocol: str | None = None,
    compact: bool = False,
) -> Plan:
    """The plan of an image of `height` x `width` pixels; arguments as of `ainet.Segmenter.__call__`.

    Raises:
        ImageError: the image is too small.
        UsageError: an argument out of range.
    """
    check_protocol(protocol)
    if protocol is not None:
        if compact:
            raise UsageError("protocol='public' has no compact superpixels; leave one of the two out")
        return plan_public(height, width, 1.0 if scale is None else scale)
    plan = plan_segments(height, width, n_segments) if scale is None else plan_scale(height, width, scale)
    return replace(plan, compact=compact)


def check_count(n_segments: int, least: int = MIN_SEGMENTS) -> None:
    """Raise `UsageError` for a count that no image can have."""
    if n_segments < least:
        raise UsageError(f"n_segments={n_segments} is out of range: choose {least} to a quarter of the image's pixels")


def checked_scale(scale: Any) -> float:
    """The scale as a float.

    Raises:
        UsageError: it is no positive number, or above any that an image can have.
    """
    try:
        number = checked_number("scale", scale)
    except UsageError:
        number = 0.0
    if number <= 0:
        raise UsageError(f"scale must be a positive number, not {short(scale)}")
    if number > MAX_SCALE:
        raise UsageError(f"scale={number:g} is out of range: choose at most 8, which gives a quarter of the pixels")
    return number


def check_protocol(protocol: str | None) -> None:
    """Raise `UsageError` unless `protocol` is None or "public"."""
    if protocol is not None and not (isinstance(protocol, str) and protocol == "public"):
        raise UsageError(f"unknown protocol {short(protocol)}; the one there is: 'public'")


def plan_segments(height: int, width: int, n_segments: SupportsIndex) -> Plan:
    """Plan for about `n_segments` superpixels: a grid of nearly square cells, at most (sqrt(n_segments) + 1) / 2 off the count.

    Raises:
        ImageError: a height or width below 16.
        UsageError: a count that is no integer from 4 to a quarter of the pixels, or beyond 2**31 working pixels (8 million cells).
    """
    check_image(height, width)
    most = height * width // 4
    count = checked_integer("n_segments", n_segments)
    if not MIN_SEGMENTS <= count <= most:
        raise UsageError(
            f"n_segments={count} is out of range: choose {MIN_SEGMENTS} to {most}, a quarter of the pixels of a {height}x{width} image"
        )
    # The shorter of height and width first: it has fewer cells, so that rounding them matters more.
    fewer = max(1, round(math.sqrt(count * min(height, width) / max(height, width))))
    more = round(count / fewer)
    rows, columns = (fewer, more) if height <= width else (more, fewer)
    return _with_sizes(height, width, rows * CELL_SIZE, columns * CELL_SIZE, rows * columns)


def plan_scale(height: int, width: int, scale: float) -> Plan:
    """Plan at `scale` times the image's size, height and width rounded up to multiples of 16.

    At scale 1 this is what the public demo script does, save that the labels are brought back to the image's size.

    Raises:
        ImageError: a height or width below 16.
        UsageError: a scale that is no positive number, or gives fewer than 4 cells or more than a quarter of the pixels.
    """
    check_image(height, width)
    scale = checked_scale(scale)
    rows, columns = (max(1, math.ceil(pixels * scale / CELL_SIZE)) for pixels in (height, width))
    if not MIN_SEGMENTS <= rows * columns <= height * width // 4:
        raise UsageError(
            f"scale={scale:g} gives {rows * columns} superpixels for a {height}x{width} image; "
            f"choose a scale that gives {MIN_SEGMENTS} to {height * width // 4}"
        )
    return _with_sizes(height, width, rows * CELL_SIZE, columns * CELL_SIZE, rows * columns)


def plan_public(height: int, width: int, scale: float) -> Plan:
    """The public evaluation protocol of SCN and AINet on BSDS500 (scale 0.3 to 1.8) and NYUv2 (0.5 to 1.4).

    Working size 320s x 480s (or 480s x 320s; NYUv2: 480s x 640s) and int(600 s^2) (NYUv2: int(1200 s^2)) superpixels.

    Raises:
        UsageError: an image of another size, or a scale above 2 or whose working size is no multiple of 16.
    """
    scale = checked_scale(scale)
    if (height, width) not in PUBLIC_PROTOCOL:
        sizes = ", ".join(f"{h}x{w}" for h, w in PUBLIC_PROTOCOL)
        raise UsageError(f"protocol='public' is defined for images of {sizes}, not {height}x{width}; use n_segments= or scale= alone")
    base_height, base_width, base_segments = PUBLIC_PROTOCOL[height, width]
    exact_rows, exact_columns = base_height * scale / CELL_SIZE, base_width * scale / CELL_SIZE
    rows, columns = round(exact_rows), round(exact_columns)
    off_the_grid = max(abs(exact_rows - rows), abs(exact_columns - columns)) > 1e-7
    if scale > 2 or rows < 1 or off_the_grid:
        raise UsageError(f"protocol='public' needs a scale in tenths up to 2, such as 0.3, 1.0 or 1.8, not {scale:g}")
    return _with_sizes(height, width, rows * CELL_SIZE, columns * CELL_SIZE, int(base_segments * scale * scale), public=True)


def _with_sizes(height: int, width: int, working_height: int, working_width: int, segments: int, public: bool = False) -> Plan:
    if working_height * working_width >= 2**31:
        size = f"{working_height}x{working_width}"
        raise UsageError(f"{segments} superpixels need a working image of {size}, over 2**31 pixels; ask for fewer, or cut the image")
    segment = height * width / segments  # mean size; the bounds around it are the public code's
    return Plan(height, width, working_height, working_width, int(0.06 * segment), max(1, int(3 * segment)), public)


def check_image(height: int, width: int) -> None:
    """Raise `ImageError` for an image that is too small."""
    if min(height, width) < MIN_SIZE:
        raise ImageError(f"an image of {height}x{width} is too small: height and width must be at least {MIN_SIZE} pixels; scale it up")
