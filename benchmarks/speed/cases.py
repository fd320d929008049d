"""The cases of timings: counts of superpixels, sizes of images, and a picture for them."""

import re
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError

COUNTS = (96, 216, 384, 600, 864, 1176, 1536, 1944)  # of the public protocol
COUNTS_SIZE = (321, 481)
SIZES = {"vga": (480, 640), "720p": (720, 1280), "1080p": (1080, 1920), "4k": (2160, 3840), "8k": (4320, 7680)}  # height, width
PIXELS_PER_SEGMENT = 256  # a grid of 16 x 16


@dataclass(frozen=True)
class Case:
    height: int
    width: int
    n_segments: int

    @property
    def pixels(self) -> int:
        return self.height * self.width

    def __str__(self) -> str:
        return f"{self.width}x{self.height}, {self.n_segments} superpixels"

    def picture(self, source: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`source`, RGB (H, W, 3), at the size of this case."""
        method = cv2.INTER_AREA if source.shape[0] * source.shape[1] > self.pixels else cv2.INTER_CUBIC
        return cv2.resize(source, (self.width, self.height), interpolation=method)  # type: ignore[return-value]


def case_of_size(height: int, width: int) -> Case:
    return Case(height, width, round(height * width / PIXELS_PER_SEGMENT))


def parse_counts(text: str) -> list[int]:
    """ "96,600" -> [96, 600], each once, from 1 on. Raises UsageError."""
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"'{text}' is no list of numbers; write them as 50,100,216") from None
    if min(counts) < 1:
        raise UsageError(f"'{text}': counts start at 1")
    return list(dict.fromkeys(counts))


def parse_counts_or_none(text: str) -> list[int]:
    """The same; "none" -> []."""
    return [] if text == "none" else parse_counts(text)


def parse_sizes(text: str) -> list[tuple[int, int]]:
    """ "vga,100x50" -> [(480, 640), (50, 100)], height first; "none" -> []. Raises UsageError."""
    return [] if text == "none" else [parse_size(part) for part in text.split(",")]


def parse_size(text: str) -> tuple[int, int]:
    """ "vga" -> (480, 640), "100x50" -> (50, 100). Raises UsageError."""
    if text.lower() in SIZES:
        return SIZES[text.lower()]
    size = re.fullmatch(r"([1-9][0-9]{0,5})x([1-9][0-9]{0,5})", text)
    if size is None:
        raise UsageError(f"size '{text}' is not one of {', '.join(SIZES)}, nor like 640x480 (width x height), nor 'none'")
    return int(size[2]), int(size[1])


def synthetic_picture(height: int = 540, width: int = 960) -> NDArray[np.uint8]:
    """RGB (H, W, 3) of coloured noise of several scales, the same every time."""
    rng = np.random.default_rng(0)
    total = np.zeros((height, width, 3))
    for cells in (4, 16, 64, 256):
        noise = rng.standard_normal((cells * height // width, cells, 3))
        total += np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), float) / cells**0.5
    low, high = np.percentile(total, (1, 99))
    return np.round(255 * np.clip((total - low) / (high - low), 0, 1)).astype(np.uint8)
