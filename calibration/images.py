"""Calibration images: a deterministic choice, stratified by edge density, and their way to the network's input.

    chosen = choose_images(image_files(Path("photos"), print), 32)
    inputs = [network_input(image.pixels, info) for image in chosen]

Nothing is cached: reading and resizing an image takes some milliseconds, running the network on it a hundred times as long.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ainet.errors import UsageError
from ainet.images import read_image
from ainet.runtime import pipeline
from ainet.runtime.model import ModelInfo
from ainet.runtime.plan import MIN_SIZE, Plan, plan_segments

SEGMENTS = 600  # superpixels per image, the default of `ainet segment`
MIN_IMAGES = 4
MAX_CANDIDATES = 1000  # of a larger folder as many are looked at


@dataclass(frozen=True)
class CalibrationImage:
    """`pixels`: RGB (H, W, 3) uint8. `edges`: mean Sobel magnitude of its grey values, in grey levels per pixel."""

    path: Path
    pixels: NDArray[np.uint8]
    edges: float

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()


def choose_images(
    paths: Sequence[Path], count: int, seed: int = 0, progress: Callable[[int, int], None] = lambda done, total: None
) -> list[CalibrationImage]:
    """Choose `count` of the images `paths`: sorted by edge density and cut into as many strata, one at random from each.

    The same files, `count` and `seed` give the same choice. Images of one colour are passed over, and all are taken where there are
    no more than `count`. `progress` is told how many files have been read, of how many.

    Raises:
        UsageError: fewer than `MIN_IMAGES` images are asked for or usable.
        ImageError: a file cannot be read.
    """
    if count < MIN_IMAGES:
        raise UsageError(f"{count} calibration images are too few: ask for at least {MIN_IMAGES}")
    rng = np.random.default_rng(seed)
    candidates = list(paths)
    if len(candidates) > MAX_CANDIDATES:
        candidates = [candidates[i] for i in sorted(rng.choice(len(candidates), MAX_CANDIDATES, replace=False))]
    densities: list[tuple[float, Path]] = []
    for number, path in enumerate(candidates):
        pixels = read_image(path)
        if min(pixels.shape[:2]) >= MIN_SIZE and np.ptp(pixels, axis=(0, 1)).any():
            densities.append((edge_density(pixels), path))
        progress(number + 1, len(candidates))
    if candidates and not densities:
        raise UsageError(f"none of the {len(candidates)} calibration images shows anything: each is of one colour, such as black")
    if len(densities) < MIN_IMAGES:
        raise UsageError(f"{len(densities)} usable calibration images are too few: at least {MIN_IMAGES} that show something are needed")
    strata = np.array_split(np.arange(len(densities)), min(count, len(densities)))
    densities.sort()
    chosen = [densities[int(rng.choice(stratum))] for stratum in strata]
    return [CalibrationImage(path, read_image(path), edges) for edges, path in chosen]


def edge_density(pixels: NDArray[np.uint8]) -> float:
    """Mean Sobel magnitude of the grey values of RGB (H, W, 3), scaled to 320 x 320 so that it does not depend on the size."""
    grey = cv2.cvtColor(cv2.resize(pixels, (320, 320), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return float(np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).mean() / 8)


def plan_of(pixels: NDArray[np.uint8]) -> Plan:
    """The plan for `SEGMENTS` superpixels, or as many as a small image has room for."""
    height, width = pixels.shape[:2]
    return plan_segments(height, width, min(SEGMENTS, height * width // 4))


def network_input(pixels: NDArray[np.uint8], info: ModelInfo) -> NDArray[Any]:
    """What the runtime feeds a model that `info` describes with, for RGB `pixels` (H, W, 3)."""
    return pipeline.network_input(pixels[None], plan_of(pixels), info)
