"""Superpixel metrics, public: ASA, BR, BP and the rest, equal to David Stutz's superpixel-benchmark.

    from ainet.metrics import evaluate, achievable_segmentation_accuracy
    rows = evaluate(labels, ground_truths, image)   # every metric, one row per ground truth

Needs numpy and OpenCV, which every installation has, and nothing of this package above them.
"""

from ainet.metrics.curves import curve_mean as curve_mean
from ainet.metrics.label_map import LabelMap as LabelMap
from ainet.metrics.measures import achievable_segmentation_accuracy as achievable_segmentation_accuracy
from ainet.metrics.measures import boundary_precision as boundary_precision
from ainet.metrics.measures import boundary_recall as boundary_recall
from ainet.metrics.measures import compactness as compactness
from ainet.metrics.measures import evaluate as evaluate
from ainet.metrics.summary import evaluate_image as evaluate_image
from ainet.metrics.summary import format_summary as format_summary
from ainet.metrics.summary import summarise as summarise
