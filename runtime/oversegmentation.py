"""Superpixels finer than asked for, to be merged down to the exact count.

plan = plan_finer(321, 481, 100)
labels, border_map = over_segment(backend, image, plan)
"""

import numpy as np
from numpy.typing import NDArray

from ainet.runtime.backends.base import Backend, MergingBackend
from ainet.runtime.merging import BorderMap
from ainet.runtime.pipeline import network_input, resize, run_pipeline
from ainet.runtime.plan import MIN_SEGMENTS, Plan, plan_segments
from ainet.runtime.postprocess import postprocess

# How many superpixels there are for each region asked for, by the count asked for: from benchmarks/results/regions.json.
FINER = ((0, 6.0), (100, 6.0), (216, 4.0), (600, 2.0))


def plan_finer(height: int, width: int, n_segments: int, share: float = 1.0) -> Plan:
    """The plan of the superpixels that are merged down to `n_segments`; `share` of the image's pixels lie inside a mask.

    Raises:
        ImageError: the image is too small.
    """
    counts, factors = zip(*FINER, strict=True)
    wanted = float(np.interp(n_segments, counts, factors)) * n_segments / share
    most = height * width // 4
    return plan_segments(height, width, int(min(max(wanted, MIN_SEGMENTS), max(most, MIN_SEGMENTS))))


def over_segment(backend: Backend, image: NDArray[np.uint8], plan: Plan) -> tuple[NDArray[np.int32], BorderMap | None]:
    """Image (H, W, 3) -> labels (H, W), and the border map where the backend gives one that is needed to merge them.

    Working sizes that run in tiles come without the map.
    """
    if isinstance(backend, MergingBackend) and backend.merge_model is not None and not plan.in_tiles:
        scores, values = backend.run_with_map(network_input(resize(image, plan)[None], backend.info))
        labels = postprocess(scores, plan.height, plan.width, plan.min_size, plan.max_size)[0]
        return labels, BorderMap.of_image(values[0], plan.height, plan.width)
    return run_pipeline(backend, image[None], plan)[0], None
