"""Draw docs/superpixels.jpg, the demo photos, half with outlines, half in mean colours; and docs/regions.jpg, one photo at three counts."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ainet

ROOT = Path(__file__).parents[1]
COUNTS = (20, 100, 600)


def photo(name: str, height: int) -> NDArray[np.uint8]:
    opened = Image.open(ROOT / f"examples/photos/{name}.jpg")
    return np.asarray(opened.resize((round(opened.width * height / opened.height), height), Image.Resampling.LANCZOS))


def save(panels: list[NDArray[np.uint8]], name: str) -> None:
    Image.fromarray(np.hstack(panels)).save(ROOT / "docs" / name, quality=88)


panels = []
for name in ("astronaut", "chelsea", "coffee"):
    image = photo(name, 420)
    labels = ainet.segment(image, n_segments=400)
    panel, half = ainet.overlay(image, labels), image.shape[1] // 2
    panel[:, half:] = ainet.mean_colour(image, labels)[:, half:]
    panels.append(panel)
save(panels, "superpixels.jpg")

image = photo("astronaut", 400)
save([ainet.overlay(image, regions) for regions in ainet.hierarchy(image, COUNTS[-1]).cuts(COUNTS)], "regions.jpg")
