"""Draw docs/superpixels.jpg: the demo photos, half with outlines, half in mean colours."""

from pathlib import Path

import numpy as np
from PIL import Image

import ainet

ROOT = Path(__file__).parents[1]
HEIGHT = 420

panels = []
for name in ("astronaut", "chelsea", "coffee"):
    photo = Image.open(ROOT / f"examples/photos/{name}.jpg")
    image = np.asarray(photo.resize((round(photo.width * HEIGHT / photo.height), HEIGHT), Image.Resampling.LANCZOS))
    labels = ainet.segment(image, n_segments=400)
    panel, half = ainet.overlay(image, labels), image.shape[1] // 2
    panel[:, half:] = ainet.mean_colour(image, labels)[:, half:]
    panels.append(panel)
Image.fromarray(np.hstack(panels)).save(ROOT / "docs/superpixels.jpg", quality=88)
