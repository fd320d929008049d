"""`train_merging` on a tiny data set: the files that it writes, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.blocks import write_sample

from ainet.errors import OutputError, UsageError
from ainet.runtime.merging import MergeModel
from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.merging.train import train_merging
from ainet.training.networks import build

pytestmark = pytest.mark.slow

SMALL = {"counts": (24, 48), "steps": (3, 3)}


@pytest.fixture
def bsds(tmp_path: Path) -> Path:
    """Two images of 48 x 64 with two annotations each."""
    rng = np.random.default_rng(0)
    for name in ("1", "2"):
        truths = [rng.integers(1, 5, (3, 4)).astype(np.uint16).repeat(16, 0).repeat(16, 1) for _ in range(2)]
        picture = (truths[0][..., None] * 40 + rng.integers(0, 40, (48, 64, 3))).astype(np.uint8)
        write_sample(tmp_path / "bsds", "train", name, picture, truths)
    return tmp_path / "bsds"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_checkpoint(tmp_path / "scn.safetensors", build("scn"), {"network": "scn", "note": "kept"})
    return tmp_path / "scn.safetensors"


def test_checkpoint_with_its_cost(bsds: Path, checkpoint: Path, tmp_path: Path) -> None:
    train_merging(bsds, checkpoint, tmp_path / "out.safetensors", seed=7, **SMALL)
    before, after = load_checkpoint(checkpoint), load_checkpoint(tmp_path / "out.safetensors")
    assert after.merging is not None
    assert after.merging.weights().channels == 16
    assert (after.config["note"], after.config["merging_seed"]) == ("kept", 7)
    for key, value in before.network.state_dict().items():
        torch.testing.assert_close(after.network.state_dict()[key], value, rtol=0, atol=0)
    train_merging(bsds, tmp_path / "out.safetensors", tmp_path / "again.safetensors", seed=7, **SMALL)
    again = load_checkpoint(tmp_path / "again.safetensors").merging
    assert again is not None
    for one, other in zip(after.merging.weights().arrays(), again.weights().arrays(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_cost_alone(bsds: Path, checkpoint: Path, tmp_path: Path) -> None:
    train_merging(bsds, checkpoint, tmp_path / "merging.json", **SMALL)
    model = MergeModel.from_json((tmp_path / "merging.json").read_text(), "here")
    assert model.channels == 0


def test_what_is_refused_before_the_work(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        train_merging("no data", checkpoint, tmp_path / "folder.json")
    for seed in (-1, 2**63):
        with pytest.raises(UsageError, match=f"seed is {seed}; it must be in"):
            train_merging("no data", checkpoint, tmp_path / "merging.json", seed)


def test_other_suffixes(bsds: Path, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.safetensors"):
        train_merging(bsds, checkpoint, tmp_path / "cost.pt", **SMALL)
