"""Superpixels in one call, with the default model on the fastest device that works:

labels = ainet.segment(image, n_segments=600)
"""

import os
from functools import cache
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ainet.merge_tree import Hierarchy
from ainet.runtime.association import Association
from ainet.segmenter import Segmenter


def segment(
    image: Any,
    n_segments: SupportsIndex = 600,
    *,
    scale: float | None = None,
    protocol: str | None = None,
    quality: str | None = None,
    compact: bool = False,
    mask: Any = None,
    within: Any = None,
    start_label: SupportsIndex | None = None,
) -> NDArray[np.int32]:
    """Segment an image into superpixels with the default model on the fastest device that works; see `Segmenter.__call__`."""
    return _default_segmenter(os.getpid())(
        image,
        n_segments,
        scale=scale,
        protocol=protocol,
        quality=quality,
        compact=compact,
        mask=mask,
        within=within,
        start_label=start_label,
    )


def hierarchy(image: Any, n_segments: SupportsIndex = 600, *, compact: bool = False, mask: Any = None, within: Any = None) -> Hierarchy:
    """The merge tree of an image's superpixels with the default model on the fastest device that works; see `Segmenter.hierarchy`."""
    return _default_segmenter(os.getpid()).hierarchy(image, n_segments, compact=compact, mask=mask, within=within)


def association(image: Any, n_segments: SupportsIndex = 600, *, scale: float | None = None) -> Association:
    """The association map of an image with the default model on the fastest device that works; see `Segmenter.association`."""
    return _default_segmenter(os.getpid()).association(image, n_segments, scale=scale)


@cache
def _default_segmenter(process: int) -> Segmenter:
    """One for each process: a fork cannot use that of its parent."""
    return Segmenter.load()
