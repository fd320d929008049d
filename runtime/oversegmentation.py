"""Superpixels finer than asked for, to be merged down to the exact count.

plan = plan_finer(321, 481, 100, 321 * 481)
labels, border_map = over_segment(backend, image, plan)
"""

from dataclasses import replace
from typing import SupportsIndex

import numpy as np
from numpy.typing import NDArray

from ainet.arguments import checked_integer
from ainet.errors import UsageError
from ainet.runtime.backends.base import Backend, MergingBackend
from ainet.runtime.merging import BorderMap
from ainet.runtime.pipeline import in_memory, infer_with_map, network_input, output_to_labels, run_pipeline
from ainet.runtime.plan import MIN_SEGMENTS, Plan, check_image, plan_segments

# How many superpixels there are for each region asked for, by the count asked for, linear between. From
# benchmarks/results/regions_starts.json: each count starts from the fewest whose achievable accuracy is within .0015 of the best start's.
FINER = ((1, 20.0), (20, 20.0), (50, 12.0), (100, 8.0), (216, 5.0), (384, 3.0), (600, 2.0))


def plan_finer(height: int, width: int, n_segments: SupportsIndex, inside: int, pieces: int = 1, compact: bool = False) -> Plan:
    """The plan of the superpixels that are merged down to `n_segments`.

    inside: pixels of the image that regions are wanted for. pieces: how many parts of them never merge with each other.

    Raises:
        ImageError: the image is too small.
        UsageError: a count that is no integer from `pieces` to a quarter of the pixels inside, or to `pieces` where these are more.
    """
    check_image(height, width)
    most = height * width // 4
    count = checked_integer("n_segments", n_segments)
    limit = max(pieces, inside // 4)
    if not pieces <= count <= limit:
        reason = f"a quarter of the pixels of a {height}x{width} image"
        if inside < height * width:
            reason = f"a quarter of the {inside} pixels inside the mask" if inside >= 4 else f"as the mask holds {inside} of the pixels"
        if pieces > 1 and (count < pieces or limit == pieces):
            reason = f"as mask and borders leave {pieces} separate pieces, each of which needs a region; drop small ones"
        choice = f"{pieces} to {limit}" if pieces < limit else str(limit)
        raise UsageError(f"n_segments={count} is out of range: choose {choice}, {reason}")
    counts, factors = zip(*FINER, strict=True)
    wanted = round(count * float(np.interp(count, counts, factors)) * height * width / inside)
    return plan_start(height, width, min(max(wanted, MIN_SEGMENTS), most), compact)


def plan_start(height: int, width: int, n_segments: SupportsIndex, compact: bool = False) -> Plan:
    """The plan of about `n_segments` superpixels that are to be merged. Half as small as in `plan_segments` they stay superpixels:
    merging chooses better what they join.

    Raises:
        ImageError, UsageError: as of `plan_segments`.
    """
    plan = plan_segments(height, width, n_segments)
    return replace(plan, min_size=plan.min_size // 2, compact=compact)


def over_segment(backend: Backend, image: NDArray[np.uint8], plan: Plan, threads: int = 0) -> tuple[NDArray[np.int32], BorderMap | None]:
    """Image (H, W, 3) -> labels (H, W), and the border map where the backend gives one that is needed to merge them.

    Working sizes that run in tiles come without the map.

    Raises:
        ModelError: the model's border map does not fit its cost.
        DeviceError: the engine gives an output of another size.
        UsageError: the working image does not fit into memory.
    """
    if isinstance(backend, MergingBackend) and backend.merge_model is not None and not plan.in_tiles:
        with in_memory(plan):
            scores, values = infer_with_map(backend, network_input(image[None], plan, backend.info, threads))
            labels = output_to_labels(scores, plan, backend.info, threads)[0]
            return labels, BorderMap.of_image(values[0], plan.height, plan.width)
    return run_pipeline(backend, image[None], plan, threads)[0], None
