"""`ainet bench regions` on two small images: its rows are the metrics of the exact cuts."""

from pathlib import Path

import numpy as np
import pytest
from support.blocks import Blocks

from ainet.benchmarks.accuracy.regions import run_regions
from ainet.errors import UsageError
from ainet.merge_tree import Hierarchy
from ainet.metrics.summary import evaluate_image
from ainet.training.datasets import bsds500


def test_rows_are_the_metrics_of_cuts(bsds: Path, methods: dict[str, Blocks]) -> None:
    (name,) = list(methods)[:1]
    result = run_regions([name], bsds500(bsds, "val"), starts=[60], counts=[10, 40, 100])
    assert {(row["cost"], row["count"]) for row in result["rows"]} == {("plain", 10), ("plain", 40), ("image", 10), ("image", 40)}
    rows = []
    for sample in bsds500(bsds, "val"):
        image = sample.image()
        labels = Hierarchy.from_labels(methods[name](image, 60), image, cost="plain").cut(10)
        rows += evaluate_image(sample.image_id, labels, sample.segmentations())
    (found,) = [row["all"] for row in result["rows"] if (row["cost"], row["count"]) == ("plain", 10)]
    for metric in ("asa", "rec", "pre"):
        assert found[metric] == pytest.approx(np.mean([row.metrics[metric] for row in rows]), abs=1e-5)
    assert [entry["cost"] for entry in result["br_bp"]] == ["image", "plain"]
    assert result["images"] == 2


def test_no_counts(bsds: Path, methods: dict[str, Blocks]) -> None:
    with pytest.raises(UsageError, match="counts"):
        run_regions(list(methods)[:1], bsds500(bsds, "val"), counts=[])
