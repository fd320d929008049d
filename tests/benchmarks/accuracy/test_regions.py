"""`ainet bench regions` on two small images: its rows are the metrics of superpixels and of exact cuts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.blocks import Blocks

from ainet.benchmarks.accuracy.regions import BY_COUNT, run_regions
from ainet.errors import ModelError, UsageError
from ainet.merge_tree import Hierarchy
from ainet.metrics.curves import curve_mean
from ainet.metrics.summary import evaluate_image
from ainet.models import bundled
from ainet.runtime.oversegmentation import plan_finer
from ainet.training.datasets import bsds500


def row_of(result: dict[str, Any], cost: str, count: int) -> dict[str, float]:
    (found,) = [row["all"] for row in result["rows"] if (row["cost"], row["count"]) == (cost, count)]
    return found


def check(found: dict[str, float], bsds: Path, labels_of: Any) -> None:
    """The row's figures are those of `evaluate_image` for the label maps that `labels_of` makes of the images."""
    rows = []
    for sample in bsds500(bsds, "val"):
        rows += evaluate_image(sample.image_id, labels_of(sample.image()), sample.segmentations())
    for metric in ("asa", "rec", "pre"):
        assert found[metric] == pytest.approx(np.mean([row.metrics[metric] for row in rows]), abs=1e-5)


def test_rows_are_the_metrics_of_cuts(bsds: Path, methods: dict[str, Blocks]) -> None:
    result = run_regions(["blocks"], bsds500(bsds, "val"), starts=[60], counts=[10, 40, 100])
    assert {(row["start"], row["cost"], row["count"]) for row in result["rows"]} == {
        (60, cost, count) for cost in ("plain", "image") for count in (10, 40)
    }
    assert methods["blocks"].calls == [60, 60]
    blocks = methods["blocks"]
    check(row_of(result, "plain", 10), bsds, lambda image: Hierarchy.from_labels(blocks(image, 60), image, cost="plain").cut(10))
    assert result["images"] == 2
    assert result["methods"] == {"blocks": {"kind": "rectangles"}}


def test_starts_are_those_of_segment(bsds: Path, methods: dict[str, Blocks]) -> None:
    result = run_regions(["blocks"], bsds500(bsds, "val"), counts=[50, 100])
    assert [(row["start"], row["cost"], row["count"]) for row in result["rows"]] == [
        (start, cost, count) for count in (50, 100) for start, cost in ((None, "direct"), (BY_COUNT, "plain"), (BY_COUNT, "image"))
    ]
    blocks, finer = methods["blocks"], plan_finer(321, 481, 50, 321 * 481).cells
    assert blocks.calls[:2] == [50, finer]
    check(row_of(result, "direct", 50), bsds, lambda image: blocks(image, 50))
    check(row_of(result, "image", 50), bsds, lambda image: Hierarchy.from_labels(blocks(image, finer), image).cut(50))
    assert row_of(result, "image", 50)["sp"] == 50
    assert row_of(result, "direct", 50)["sp"] == np.mean([blocks(sample.image(), 50).max() + 1 for sample in bsds500(bsds, "val")])


def test_figures_are_means_along_the_curves(bsds: Path, methods: dict[str, Blocks]) -> None:
    result = run_regions(["blocks"], bsds500(bsds, "val"), counts=[300, 600, 1300])
    (learned,) = [entry for entry in result["figures"] if entry["cost"] == "image"]
    rows = [row["odd"] for row in result["rows"] if row["cost"] == "image"]
    assert learned["odd"]["asa"] == pytest.approx(curve_mean([300, 600, 1300], [row["asa"] for row in rows], 384, 1200), abs=1e-9)
    assert learned["even"] != learned["odd"]


@pytest.mark.parametrize("names", [["blocks"], ["ainet", "scn"]])
def test_a_model_is_of_one_network(bsds: Path, methods: dict[str, Blocks], names: list[str]) -> None:
    with pytest.raises(UsageError, match="one network"):
        run_regions(names, bsds500(bsds, "val"), model=Path("model.onnx"))


def test_a_model_of_another_network_is_refused(bsds: Path) -> None:
    with pytest.raises(ModelError, match=r"scn\.onnx is of the network scn, not of ainet"):
        run_regions(["ainet"], bsds500(bsds, "val"), model=bundled("scn.onnx"))


def test_no_counts(bsds: Path, methods: dict[str, Blocks]) -> None:
    with pytest.raises(UsageError, match="counts"):
        run_regions(["blocks"], bsds500(bsds, "val"), counts=[])
