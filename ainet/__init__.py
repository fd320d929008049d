"""AINet deployment toolkit: superpixels with AINet and SCN.

    import ainet
    labels = ainet.segment(image, n_segments=600)  # (H, W, 3) uint8 RGB -> (H, W) int32, 0..K-1

Names are imported on first use, so that `import ainet` costs next to nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ainet.errors import AINetError as AINetError
    from ainet.graphs import graph as graph
    from ainet.images import read_image as read_image
    from ainet.merge_tree import Hierarchy as Hierarchy
    from ainet.one_call import association as association
    from ainet.one_call import hierarchy as hierarchy
    from ainet.one_call import segment as segment
    from ainet.outlines import polygons as polygons
    from ainet.regions import adjacency as adjacency
    from ainet.regions import boundaries as boundaries
    from ainet.regions import mean_colour as mean_colour
    from ainet.regions import overlay as overlay
    from ainet.regions import region_table as region_table
    from ainet.runtime.postprocess import enforce_connectivity as enforce_connectivity
    from ainet.segmenter import Segmenter as Segmenter

__version__ = "0.1.0"

_HOMES = {
    "AINetError": "ainet.errors",
    "Hierarchy": "ainet.merge_tree",
    "Segmenter": "ainet.segmenter",
    "adjacency": "ainet.regions",
    "association": "ainet.one_call",
    "boundaries": "ainet.regions",
    "enforce_connectivity": "ainet.runtime.postprocess",
    "graph": "ainet.graphs",
    "hierarchy": "ainet.one_call",
    "mean_colour": "ainet.regions",
    "overlay": "ainet.regions",
    "polygons": "ainet.outlines",
    "read_image": "ainet.images",
    "region_table": "ainet.regions",
    "segment": "ainet.one_call",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ainet' has no attribute '{name}'")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
