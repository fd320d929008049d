"""Native pre- and post-processing. Called through postprocess.py, which checks types and shapes of arrays.

Arrays are C-contiguous. `Scores` are float32, or the bits of float16.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[np.float32] | NDArray[np.uint16]

def enforce_connectivity(labels: NDArray[np.unsignedinteger[Any]], min_size: int, max_size: int) -> NDArray[np.int32]: ...
def cell_ids(
    output: Scores | NDArray[np.int32], height: int, width: int, public: bool, smoothing: int, logits: bool, threads: int
) -> NDArray[np.int32]: ...
def cell_ids_of_part(
    scores: Scores,
    top: int,
    left: int,
    working_height: int,
    working_width: int,
    smoothing: int,
    logits: bool,
    first_row: int,
    end_row: int,
    first_column: int,
    end_column: int,
    threads: int,
    out: NDArray[np.int32],
) -> None: ...
def output_to_labels(
    output: Scores | NDArray[np.int32],
    height: int,
    width: int,
    min_size: int,
    max_size: int,
    public: bool,
    smoothing: int,
    logits: bool,
    threads: int,
) -> NDArray[np.int32]: ...
def make_taps(sources: int, targets: int, averages: bool) -> tuple[NDArray[np.int32], NDArray[np.float32]]: ...
def resample(
    images: NDArray[np.uint8],
    row_first: NDArray[np.int32],
    row_weights: NDArray[np.float32],
    column_first: NDArray[np.int32],
    column_weights: NDArray[np.float32],
    threads: int,
) -> NDArray[np.uint8]: ...
def resample_to_planes(
    images: NDArray[np.uint8],
    row_first: NDArray[np.int32],
    row_weights: NDArray[np.float32],
    column_first: NDArray[np.int32],
    column_weights: NDArray[np.float32],
    mean: NDArray[np.float32],
    threads: int,
) -> NDArray[np.float32]: ...

# Label maps: see runtime/label_map.py.
def number_labels(labels: NDArray[np.unsignedinteger[Any]]) -> tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.int32]]: ...
def region_table(numbers: NDArray[np.int32], regions: int, rgb: NDArray[np.uint8] = ...) -> tuple[NDArray[np.int64], NDArray[np.int32]]: ...
def outlines(regions: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]: ...

# Merging: see runtime/merging.py, whose duty it is that labels, edges, children and weights are of one graph.
def describe_regions(
    labels: NDArray[np.int32],
    rgb: NDArray[np.uint8],
    regions: int,
    map: NDArray[np.float32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32]]: ...
def map_gradient(
    labels: NDArray[np.int32],
    regions: int,
    map: NDArray[np.float32],
    rows: NDArray[np.int32],
    columns: NDArray[np.int32],
    gradient: NDArray[np.float32],
) -> NDArray[np.float32]: ...
def merge_plainly(
    regions: NDArray[np.float32], edges: NDArray[np.int32], borders: NDArray[np.float32], left: int
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]: ...
def merge_by_weights(
    regions: NDArray[np.float32],
    edges: NDArray[np.int32],
    borders: NDArray[np.float32],
    left: int,
    border1: NDArray[np.float32],
    border1_bias: NDArray[np.float32],
    border2: NDArray[np.float32],
    border2_bias: NDArray[np.float32],
    pair1: NDArray[np.float32],
    pair1_bias: NDArray[np.float32],
    pair2: NDArray[np.float32],
    pair2_bias: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.int32]]: ...
def regions_after(children: NDArray[np.int32], count: int, merges: int) -> NDArray[np.int32]: ...
def pair_features(regions: NDArray[np.float32], edges: NDArray[np.int32], borders: NDArray[np.float32]) -> NDArray[np.float32]: ...
