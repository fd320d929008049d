"""Runs that are refused before they train: of another recipe, data, version or device, and two in one folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.tiny_run import RECIPE, SAMPLES, Squares

from ainet.errors import DeviceError, ModelError, UsageError
from ainet.training.processes import Processes
from ainet.training.state import STATE, locked
from ainet.training.train import choose_device, train
from ainet.training.trainer import Trainer

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("network", "changes", "message"),
    [
        ("scn", {"lr": 1.0, "seed": 2}, r"lr is 0\.001 there and 1\.0 here, seed is 1 there and 2 here"),
        ("ainet", {}, "network is 'scn' there"),
    ],
)
def test_another_recipe_is_refused(unbroken: Trainer, network: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        Trainer(network, replace(RECIPE, **changes), SAMPLES, unbroken.out)


def test_other_data_are_refused(unbroken: Trainer) -> None:
    with pytest.raises(
        ModelError, match=rf"data is '{len(unbroken.sampler.data)} annotations \([0-9a-f]{{12}}\)' there and '\d+ annotations"
    ):
        Trainer("scn", RECIPE, SAMPLES[:-1], unbroken.out)


@pytest.mark.parametrize("method", ["image", "segmentations"])
def test_other_pixels_of_the_same_names_are_refused(unbroken: Trainer, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    given = getattr(Squares, method)
    monkeypatch.setattr(Squares, method, lambda self: given(self)[::-1])  # upside down; or the annotations in another order
    with pytest.raises(ModelError, match="data is '"):
        Trainer("scn", RECIPE, SAMPLES, unbroken.out)


def test_processes_have_gpus_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        DeviceError, match="under torchrun every process takes a GPU of its own, not all of them 'cuda:1'; use --device cuda"
    ):
        train("scn", "full", lambda splits: SAMPLES, "out", device="cuda:1")
    with pytest.raises(DeviceError, match="there is no device 'cuda:3': PyTorch sees 2 GPUs"):
        train("scn", "full", lambda splits: SAMPLES, "out", device="cuda")


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "cpu:0"])
def test_devices_by_name(device: str) -> None:
    assert choose_device("cpu") == "cpu"
    with pytest.raises(DeviceError, match=f"unknown device '{device}' for training; choose auto, cpu, cuda or cuda:N"):
        choose_device(device)
    with pytest.raises(DeviceError, match=r"there is no device 'cuda:99': PyTorch sees \d+ GPUs; use --device cpu"):
        choose_device("cuda:99")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 half"])
def test_a_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / STATE).write_bytes(content)
    with pytest.raises(ModelError, match=r"cannot resume from .*state\.pt: it is damaged, .*; move it away"):
        Trainer("scn", RECIPE, SAMPLES, tmp_path)


def test_a_state_of_another_version_is_refused(tmp_path: Path, unbroken: Trainer) -> None:
    state = torch.load(unbroken.out / STATE, weights_only=True)
    del state["format"]
    torch.save(state, tmp_path / STATE)
    before = (tmp_path / STATE).read_bytes()
    with pytest.raises(ModelError, match="of another version"):
        Trainer("scn", RECIPE, SAMPLES, tmp_path)
    assert (tmp_path / STATE).read_bytes() == before


def test_two_runs_do_not_share_a_folder(tmp_path: Path, tiny_recipe: str) -> None:
    """The second one does not even read a state, which the first may be writing."""
    out = tmp_path / "out"
    with locked(out):
        (out / STATE).write_text("half written")
        with pytest.raises(UsageError, match="another run is training in"):
            train("scn", tiny_recipe, lambda splits: SAMPLES, str(out), "cpu")
        assert [path.name for path in out.iterdir()] == [STATE]
        (out / STATE).unlink()
    assert train("scn", tiny_recipe, lambda splits: SAMPLES, str(out), "cpu")


def test_processes_that_would_go_on_from_different_iterations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, "each", lambda self, value: [value, value + 5])  # as if another host's folder were older or newer
    with pytest.raises(ModelError, match="iterations, 0 and 5"):
        Trainer("scn", RECIPE, SAMPLES, tmp_path)
