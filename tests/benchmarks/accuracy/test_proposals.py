from pathlib import Path

import numpy as np
import pytest
from support.blocks import Blocks

from ainet.benchmarks.accuracy.proposals import COUNTS, START, proposals
from ainet.errors import DeviceError
from ainet.merge_tree import COSTS, Hierarchy
from ainet.metrics import achievable_segmentation_accuracy
from ainet.training.datasets import bsds500


def test_rows_are_the_means_over_all_ground_truths(bsds: Path, methods: dict[str, Blocks]) -> None:
    skipped: list[str] = []
    samples = bsds500(bsds, "val")
    result = proposals(["blocks", "absent"], samples, on_skip=skipped.append)
    assert [(row["method"], row["cost"], row["regions"]) for row in result["rows"]] == [
        ("blocks", cost, count) for cost in COSTS for count in COUNTS
    ]
    assert methods["blocks"].calls == [START] * 2
    assert list(result["skipped"]) == ["absent"] and len(skipped) == 1
    expected = []
    for sample in samples:
        regions = Hierarchy.from_labels(methods["blocks"](sample.image(), START), sample.image(), cost="plain").cut(COUNTS[1])
        expected += [achievable_segmentation_accuracy(regions, truth) for truth in sample.segmentations()]
    row = next(row for row in result["rows"] if (row["cost"], row["regions"]) == ("plain", COUNTS[1]))
    assert row["asa"] == pytest.approx(np.mean(expected))


def test_more_regions_are_never_less_accurate(bsds: Path, methods: dict[str, Blocks]) -> None:
    rows = proposals(["blocks"], bsds500(bsds, "val"))["rows"]
    for cost in COSTS:
        accuracies = [row["asa"] for row in rows if row["cost"] == cost]
        assert accuracies == sorted(accuracies)  # cuts of one tree are nested
    with pytest.raises(DeviceError):
        proposals(["absent"], bsds500(bsds, "val"))
