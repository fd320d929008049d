"""Superpixel metrics: ASA, boundary recall and precision, compactness and the rest, equal to David Stutz's superpixel-benchmark.

    from ainet.metrics import achievable_segmentation_accuracy, boundary_recall, evaluate

    achievable_segmentation_accuracy(labels, ground_truth)   # one metric, a float
    rows = evaluate(labels, ground_truths, image)            # all metrics, a dict for each ground truth: rows[0]["asa"]

`labels` holds superpixel ids and a ground truth segment ids, both (H, W) integers in [0, 2**31); `image` is (H, W, 3) uint8 RGB. For a
whole data set, with each convention of averaging under its name:

    rows = [row for name in names for row in evaluate_image(name, labels[name], ground_truths[name], images[name])]
    print(format_summary(summarise(rows)))

| key | function | of | range | better |
|---|---|---|---|---|
| asa | `achievable_segmentation_accuracy` | labels, ground truth | 0 to 1 | high |
| rec | `boundary_recall` | labels, ground truth | 0 to 1 | high |
| pre | `boundary_precision` | labels, ground truth | 0 to 1 | high |
| ue, ue_np, ue_levin | `undersegmentation_error`, `..._np`, `..._levin` | labels, ground truth | from 0 | low |
| oe | `oversegmentation_error` | labels, ground truth | 0 to 1 | |
| mde | `mean_distance_to_edge` | labels, ground truth | from 0, pixels | low |
| co | `compactness` | labels | 0 to 1 | high |
| cd | `contour_density` | labels | 0 to 1 | |
| reg | `regularity` | labels | from 0 | |
| sp, sp_size, sp_size_variation | `superpixel_count`, `mean_superpixel_size`, `superpixel_size_variation` | labels | pixels | |
| sse_xy | `sum_of_squared_error_xy` | labels | from 0 | low |
| ev | `explained_variation` | labels, image | 0 to 1 | high |
| sse_rgb | `sum_of_squared_error_rgb` | labels, image | from 0 | low |
| icv | `intra_cluster_variation` | labels, image | from 0 | low |

`PAIR_METRICS`, `LABEL_METRICS` and `IMAGE_METRICS` hold the functions by key. A `LabelMap` in place of an array keeps what several metrics
share. `curve_mean` gives one figure for a metric over a range of superpixel counts. Arrays that do not fit raise `ainet.errors.UsageError`.
Needs numpy and OpenCV, which every installation has.
"""

from ainet.metrics.curves import curve_mean
from ainet.metrics.definitions import (
    IMAGE_METRICS,
    LABEL_METRICS,
    PAIR_METRICS,
    achievable_segmentation_accuracy,
    boundary_precision,
    boundary_recall,
    compactness,
    contour_density,
    evaluate,
    explained_variation,
    intra_cluster_variation,
    mean_distance_to_edge,
    mean_superpixel_size,
    oversegmentation_error,
    regularity,
    sum_of_squared_error_rgb,
    sum_of_squared_error_xy,
    superpixel_count,
    superpixel_size_variation,
    undersegmentation_error,
    undersegmentation_error_levin,
    undersegmentation_error_np,
)
from ainet.metrics.label_map import LabelMap, Overlap, tolerance_radius
from ainet.metrics.summary import AVERAGES, GROUND_TRUTHS, Row, Summary, evaluate_image, format_summary, summarise

__all__ = [
    "AVERAGES",
    "GROUND_TRUTHS",
    "IMAGE_METRICS",
    "LABEL_METRICS",
    "PAIR_METRICS",
    "LabelMap",
    "Overlap",
    "Row",
    "Summary",
    "achievable_segmentation_accuracy",
    "boundary_precision",
    "boundary_recall",
    "compactness",
    "contour_density",
    "curve_mean",
    "evaluate",
    "evaluate_image",
    "explained_variation",
    "format_summary",
    "intra_cluster_variation",
    "mean_distance_to_edge",
    "mean_superpixel_size",
    "oversegmentation_error",
    "regularity",
    "sum_of_squared_error_rgb",
    "sum_of_squared_error_xy",
    "summarise",
    "superpixel_count",
    "superpixel_size_variation",
    "tolerance_radius",
    "undersegmentation_error",
    "undersegmentation_error_levin",
    "undersegmentation_error_np",
]
