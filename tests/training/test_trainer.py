"""The training loop: exact resume, clean stops, and what it says when something goes wrong."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.io import savemat
from support.tiny_run import RECIPE, SAMPLES, Squares, assert_same
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ainet.errors import ModelError, OutputError, UsageError
from ainet.training.checkpoint import load_checkpoint
from ainet.training.logs import EventLog
from ainet.training.networks import UNet, build
from ainet.training.optimizers import make_optimizers
from ainet.training.options import RunOptions, TrainingProgress, Validate
from ainet.training.recipe import Recipe
from ainet.training.run_state import WEIGHTS, TrainingError
from ainet.training.step import has_fast_bf16
from ainet.training.train import train
from ainet.training.trainer import LOGS, Trainer

pytestmark = pytest.mark.slow


class Kill(BaseException):
    """Stands for a process that ends without notice."""


@pytest.mark.parametrize("saved", [0, 1, 3, 5])
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path, unbroken: Trainer, saved: int) -> None:
    def kill(progress: TrainingProgress) -> None:
        if progress.iteration == saved + 1:  # one iteration after the last checkpoint
            raise Kill

    with pytest.raises(Kill):
        Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(log_every=1, save_every=0, report=kill)).run()
    resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    assert resumed.iteration == saved
    assert resumed.run()
    assert_same(resumed, unbroken)


def test_a_run_starts_from_the_weights_of_a_checkpoint_and_goes_on_with_them_alone(tmp_path: Path, unbroken: Trainer) -> None:
    initial = load_checkpoint(unbroken.out / WEIGHTS)
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(initial=initial))
    expected = initial.network.state_dict()
    for own in (trainer.network.state_dict(), trainer.ema.module.state_dict()):
        assert [key for key in expected if not torch.equal(own[key], expected[key])] == []
    trainer.step()
    trainer.save()
    assert load_checkpoint(tmp_path / WEIGHTS).config["initial"] == initial.sha256
    resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(initial=initial))
    assert_same(resumed, trainer)
    with pytest.raises(ModelError, match=r"the SHA-256 of --weights is '[0-9a-f]{64}' there and None here"):
        Trainer("scn", RECIPE, SAMPLES, tmp_path)
    with pytest.raises(ModelError, match="of the network 'scn', not of 'ainet'"):
        Trainer("ainet", RECIPE, SAMPLES, tmp_path / "other", RunOptions(initial=initial))


def test_a_kill_while_saving_leaves_the_checkpoint_before(tmp_path: Path, unbroken: Trainer, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    for _ in range(2):
        trainer.step()
    trainer.save()
    trainer.step()

    def half(path: Path, content: Any) -> int:
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise Kill

    with monkeypatch.context() as patch, pytest.raises(Kill):
        patch.setattr(Path, "write_bytes", half)
        trainer.save()
    resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    assert resumed.iteration == 2
    resumed.run()
    assert_same(resumed, unbroken)


def test_pieces_by_budget(tmp_path: Path, unbroken: Trainer) -> None:
    pieces, seconds = 0, 0.0
    while not (trainer := Trainer("scn", RECIPE, SAMPLES, tmp_path)).run(budget=1e-9):
        pieces += 1
        assert trainer.iteration == pieces
        assert trainer.seconds > seconds  # of all pieces
        seconds = trainer.seconds
    assert pieces == RECIPE.iterations - 1
    assert_same(trainer, unbroken)


def test_a_state_from_a_gpu_goes_on_with_the_optimizer_of_this_device(tmp_path: Path, unbroken: Trainer) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    for _ in range(2):
        trainer.step()
    for group in trainer.optimizers[0].param_groups:  # as a run on a GPU leaves them
        group["fused"] = True
    trainer.save()
    resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    resumed.run()
    assert_same(resumed, unbroken)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_stop_with_a_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(log_every=2, report=lambda progress: os.kill(os.getpid(), number)))
    assert not trainer.run()
    assert signal.getsignal(number) == before
    assert Trainer("scn", RECIPE, SAMPLES, tmp_path).iteration == 2


def test_weights_file_is_the_ema_network(unbroken: Trainer) -> None:
    checkpoint = load_checkpoint(unbroken.out / WEIGHTS)
    assert checkpoint.config["recipe"] == unbroken.recipe.to_dict() and checkpoint.config["iteration"] == 6
    own = checkpoint.network.state_dict()
    assert all(torch.equal(own[key], value) for key, value in unbroken.ema.module.state_dict().items())


def test_the_loss_falls(tmp_path: Path) -> None:
    losses: list[float] = []
    recipe = Recipe("falls", iterations=40, batch_size=4, lr=2e-3, crop=32)
    options = RunOptions(log_every=10, report=lambda progress: losses.append(progress.figures["loss"]))
    Trainer("ainet", recipe, SAMPLES, tmp_path, options).run()
    assert losses[-1] < 0.7 * losses[0]


def test_bfloat16_is_taken_where_the_processor_has_it() -> None:
    flags = Path("/proc/cpuinfo").read_text()
    expected = "avx512_bf16" in flags or "amx_bf16" in flags
    assert has_fast_bf16(torch.device("cpu")) == expected
    assert has_fast_bf16(torch.device("cuda"))


def test_validation_and_logs(tmp_path: Path) -> None:
    seen = []

    def validate(network: UNet) -> Mapping[str, float]:
        seen.append(trainer.iteration)
        assert not network.training and not any(value.requires_grad for value in network.parameters())
        return {"ASA": 0.9 + trainer.iteration / 1000}

    reports: list[TrainingProgress] = []
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(validate=validate, log_every=3, report=reports.append))
    trainer.run()
    assert seen == [6]
    assert [progress.iteration for progress in reports] == [3, 6]
    assert reports[0].figures["boundary"] == 0 < reports[1].figures["boundary"]
    assert reports[1].figures["lr"] == RECIPE.lr_at(5)
    logs = EventAccumulator(str(tmp_path / LOGS)).Reload()
    assert [(event.step, event.value) for event in logs.Scalars("val/ASA")] == [(6, pytest.approx(0.906))]
    assert [event.value for event in logs.Scalars("train/loss")] == pytest.approx([progress.figures["loss"] for progress in reports])


def test_a_validation_that_fails_costs_no_iteration(tmp_path: Path, unbroken: Trainer) -> None:
    def validate(network: UNet) -> Mapping[str, float]:
        raise OutputError("val is damaged")

    for iteration in range(1, 7):
        with pytest.raises(OutputError, match="val is damaged"):
            Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(validate=validate, validate_every=0)).run()
        resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path)
        assert resumed.iteration == iteration
    assert_same(resumed, unbroken)


def test_a_run_that_was_killed_in_its_last_validation_makes_up_for_it(tmp_path: Path) -> None:
    def killed(network: UNet) -> Mapping[str, float]:
        raise Kill

    with pytest.raises(Kill):
        Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(validate=killed)).run()
    assert "val" not in load_checkpoint(tmp_path / WEIGHTS).config
    for validate in (lambda network: {"asa": 0.9}, lambda network: pytest.fail("validated twice")):
        trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(validate=validate))
        assert trainer.iteration == RECIPE.iterations and trainer.run()
        assert load_checkpoint(tmp_path / WEIGHTS).config["val"] == {"asa": 0.9}


def gpu_is_full(network: UNet) -> Mapping[str, float]:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize(
    "work", [lambda network: torch.empty(2**60, dtype=torch.uint8), lambda network: np.empty(2**60, np.uint8), gpu_is_full]
)
def test_too_little_memory_ends_a_run_with_advice(tmp_path: Path, work: Validate) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(validate=work, validate_every=0))
    message = r"not enough memory on cpu at iteration 1, for batches of 2 crops of 32 pixels with 2 annotations\. .* lower these in the"
    with pytest.raises(TrainingError, match=message):
        trainer.run()
    assert Trainer("scn", RECIPE, SAMPLES, tmp_path).iteration == 1


def test_a_data_set_larger_than_the_memory(tmp_path: Path) -> None:
    class Huge(Squares):
        def image(self) -> NDArray[np.uint8]:
            return np.empty((2**30, 2**30, 3), np.uint8)

    with pytest.raises(UsageError, match="not enough memory on cpu to hold all training images and labels"):
        Trainer("scn", RECIPE, [Huge(1)], tmp_path)


def test_a_run_goes_on_where_nobody_reads_what_it_says(tmp_path: Path, tiny_recipe: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody, redirect_stdout(nobody):
        assert train("scn", tiny_recipe, lambda splits: SAMPLES, str(tmp_path / "out"), "cpu")
    assert load_checkpoint(tmp_path / "out" / WEIGHTS).config["iteration"] == 4


def test_a_folder_whose_name_looks_like_markup(tmp_path: Path, tiny_recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = f"{tmp_path}/[b]x[.y][/y]"
    for _ in range(2):
        assert train("scn", tiny_recipe, lambda splits: SAMPLES, out, "cpu")
    assert f"going on from iteration 4 in {out}\nfinished\n" in capsys.readouterr().out


def test_a_network_that_is_not_finite_is_not_validated(tmp_path: Path) -> None:
    options = RunOptions(validate=lambda network: pytest.fail("validated"), validate_every=0)
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, options)
    with torch.no_grad():
        trainer.network.conv0a[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(TrainingError, match="the loss is nan at iteration 0"):
        trainer.run()


def test_a_full_disk_ends_a_run_with_the_name_of_the_log(tmp_path: Path) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path, RunOptions(log_every=1))
    trainer.step()
    trainer.save()
    with largest_file(100), pytest.raises(OutputError, match=r"cannot write .*tfevents.*: File too large; the last checkpoint is kept"):
        trainer.run()
    assert Trainer("scn", RECIPE, SAMPLES, tmp_path).iteration == 1


def test_curves_go_on_where_a_run_does(tmp_path: Path) -> None:
    for steps in (4, 3):  # stopped after the first log of iteration 4, and resumed from iteration 3
        trainer = Trainer("scn", replace(RECIPE, iterations=6), SAMPLES, tmp_path)
        with EventLog(tmp_path / LOGS, trainer.iteration + 1) as log:
            for _ in range(steps):
                log.add("train", {"loss": float(trainer.step()[0])}, trainer.iteration)
                if trainer.iteration == 3:
                    trainer.save()
    assert [event.step for event in EventAccumulator(str(tmp_path / LOGS)).Reload().Scalars("train/loss")] == [1, 2, 3, 4, 5, 6]


def test_nan_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    trainer.step()
    trainer.save()
    with torch.no_grad():
        trainer.network.conv0a[0].weight[0, 0, 0, 0] = float("nan")
    message = r"the loss is nan at iteration 1, batch: squares\d, annotation \d; squares\d, annotation \d\. .*last good checkpoint"
    with pytest.raises(TrainingError, match=message):
        trainer.run()
    resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    assert resumed.iteration == 1 and all(value.isfinite().all() for value in resumed.network.parameters())


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("key", ["pred_mask0.bias", "conv0a.1.running_mean"])
def test_weights_that_overflow_after_the_last_loss_are_not_saved(tmp_path: Path, key: str, averaged: bool) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    trainer.step()
    trainer.save()
    (trainer.ema.module if averaged else trainer.network).state_dict()[key][0] = float("inf")
    with pytest.raises(TrainingError, match="weights are not finite after iteration 0"):
        trainer.save()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_full_disk_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    trainer.step()
    trainer.save()
    files = sorted(path.name for path in tmp_path.iterdir())
    trainer.step()
    with largest_file(1 << 20), pytest.raises(OutputError, match=r"cannot write .*state\.pt"):
        trainer.save()
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert Trainer("scn", RECIPE, SAMPLES, tmp_path).iteration == 1


def test_a_budget_counts_from_before_the_data_are_opened(tmp_path: Path, tiny_recipe: str) -> None:
    def slow(splits: Sequence[str]) -> list[Squares]:
        time.sleep(1)
        return SAMPLES

    assert not train("scn", tiny_recipe, slow, str(tmp_path / "out"), "cpu", budget="1s")
    assert load_checkpoint(tmp_path / "out" / WEIGHTS).config["iteration"] == 1  # what is begun is finished


def test_the_average_follows_its_formula(tmp_path: Path) -> None:
    trainer = Trainer("scn", replace(RECIPE, ema_decay=0.3), SAMPLES, tmp_path)
    for count in range(6):
        before = trainer.ema.module.state_dict()["pred_mask0.weight"].clone()
        trainer.step()
        decay = min(0.3, (1 + count) / (10 + count)) if count else 0  # the first weights are taken as they are
        expected = decay * before + (1 - decay) * trainer.network.pred_mask0.weight.detach()
        torch.testing.assert_close(trainer.ema.module.state_dict()["pred_mask0.weight"], expected)


def test_weight_decay_is_for_weights_alone() -> None:
    network = build("ainet")
    (adam,) = make_optimizers(network, RECIPE)
    weights, biases = adam.param_groups
    assert (weights["weight_decay"], biases["weight_decay"]) == (4e-4, 0)
    assert all(value.dim() == 1 for value in biases["params"])
    assert len(weights["params"]) + len(biases["params"]) == len(list(network.parameters()))


def test_muon_takes_the_kernels_but_the_last_and_goes_on_after_a_stop(tmp_path: Path) -> None:
    recipe = replace(RECIPE, optimizer="muon", weight_decay=0.05)
    whole = Trainer("scn", recipe, SAMPLES, tmp_path / "whole")
    muon, adam = whole.optimizers
    kernels = [value for name, value in whole.network.named_parameters() if value.dim() == 4 and name != "pred_mask0.weight"]
    taken = [value for optimizer in (muon, adam) for group in optimizer.param_groups for value in group["params"]]
    assert {id(value) for value in kernels} == {id(value) for value in muon.param_groups[0]["params"]}
    assert sorted(id(value) for value in taken) == sorted(id(value) for value in whole.network.parameters())
    assert [group["weight_decay"] for optimizer in (muon, adam) for group in optimizer.param_groups] == [0.05, 0, 0]
    whole.run()
    while not (pieces := Trainer("scn", recipe, SAMPLES, tmp_path / "pieces")).run(budget=1e-9):
        pass
    assert_same(pieces, whole)


def test_command_line_on_two_processes(tmp_path: Path, tiny_recipe: str) -> None:
    """torchrun, the BSDS layout and a recipe file, through to the weights."""
    for sample in SAMPLES:
        for folder in ("images", "groundTruth"):
            (tmp_path / f"data/{folder}/train").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / f"data/images/train/{sample.image_id}.jpg"), sample.image())
        cell = np.empty((1, 2), object)
        for number, labels in enumerate(sample.segmentations()):
            cell[0, number] = {"Segmentation": labels}
        savemat(tmp_path / f"data/groundTruth/train/{sample.image_id}.mat", {"groundTruth": cell})
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ainet", "train", "scn"]
    options = {"--recipe": tiny_recipe, "--bsds": tmp_path / "data", "--out": tmp_path / "out"}
    command += [str(part) for pair in options.items() for part in pair] + ["--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("finished") == 1
    checkpoint = load_checkpoint(tmp_path / "out" / WEIGHTS)
    assert (checkpoint.config["iteration"], checkpoint.config["recipe"]["name"]) == (4, "tiny")
    assert [event.step for event in EventAccumulator(str(tmp_path / "out" / LOGS)).Reload().Scalars("train/loss")] == [4]
    command[command.index("2")] = "1"
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)
    assert "processes is 2 there and 1 here" in " ".join(result.stderr.split())
