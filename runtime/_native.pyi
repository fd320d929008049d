"""Native pre- and post-processing. Called through postprocess.py, which checks the arguments.

Arrays are C-contiguous. `Scores` are float32, or the bits of float16.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.float32] | NDArray[np.uint16]

def enforce_connectivity(labels: NDArray[np.unsignedinteger[Any]], min_size: int, max_size: int) -> NDArray[np.int32]: ...
def assign(scores: Scores, height: int, width: int, public_rules: bool) -> NDArray[np.int32]: ...
def scores_to_labels(scores: Scores, height: int, width: int, min_size: int, max_size: int, public_rules: bool) -> NDArray[np.int32]: ...
def resize_nearest(ids: NDArray[np.int32], height: int, width: int, public_rules: bool) -> NDArray[np.int32]: ...
def ids_to_labels(
    ids: NDArray[np.int32], height: int, width: int, min_size: int, max_size: int, public_rules: bool
) -> NDArray[np.int32]: ...
def normalise(images: NDArray[np.uint8], mean: NDArray[np.float32]) -> NDArray[np.float32]: ...
