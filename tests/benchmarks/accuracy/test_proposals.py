"""`ainet bench proposals` on two small images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.blocks import Blocks

from ainet.benchmarks.accuracy.del_cost import DelCost, train
from ainet.benchmarks.accuracy.proposals import COUNTS, PICTURED, START, proposals
from ainet.errors import DeviceError
from ainet.labels import read_labels
from ainet.merge_tree import Hierarchy
from ainet.metrics import achievable_segmentation_accuracy
from ainet.runtime.plan import plan_segments
from ainet.training.datasets import bsds500

pytestmark = pytest.mark.slow
COSTS = ("plain", "image", "del")


@pytest.fixture
def embed(bsds: Path) -> Callable[[], DelCost]:
    return lambda: train(bsds500(bsds, "val"), steps=5)


def test_rows_are_the_means_over_all_ground_truths(
    bsds: Path, methods: dict[str, Blocks], embed: Callable[[], DelCost], tmp_path: Path
) -> None:
    skipped: list[str] = []
    torch.set_num_threads(2)
    samples = bsds500(bsds, "val")
    result = proposals(["blocks", "absent"], samples, embed, on_skip=skipped.append, pictures=tmp_path / "regions")
    assert [(row["method"], row["cost"], row["regions"]) for row in result["rows"]] == [
        ("blocks", cost, count) for cost in COSTS for count in COUNTS
    ]
    assert torch.get_num_threads() == 2  # though the embedding is trained on one
    cells = [plan_segments(*sample.image().shape[:2], START).cells for sample in samples]
    assert methods["blocks"].calls == cells
    assert list(result["skipped"]) == ["absent"] and len(skipped) == 1
    expected = []
    for sample, count in zip(samples, cells, strict=True):
        image = sample.image()
        tree = Hierarchy.from_labels(methods["blocks"](image, count), image, cost="plain")
        expected += [achievable_segmentation_accuracy(tree.cut(COUNTS[1]), truth) for truth in sample.segmentations()]
        kept = read_labels(tmp_path / "regions" / sample.image_id / "blocks-plain.png")
        np.testing.assert_array_equal(kept, tree.cut(PICTURED))
    row = next(row for row in result["rows"] if (row["cost"], row["regions"]) == ("plain", COUNTS[1]))
    assert row["asa"] == pytest.approx(np.mean(expected), abs=1e-5)
    for cost in COSTS:  # cuts of one tree are nested, so that more regions are never less accurate
        accuracies = [row["asa"] for row in result["rows"] if row["cost"] == cost]
        assert accuracies == sorted(accuracies)


def test_nothing_is_trained_without_a_method(bsds: Path, methods: dict[str, Blocks]) -> None:
    with pytest.raises(DeviceError):
        proposals(["absent"], bsds500(bsds, "val"), lambda: pytest.fail("trained"))
