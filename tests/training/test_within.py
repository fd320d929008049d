"""Runs within a time, by a clock that goes on by a second at every report and by three at every validation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from support.clock import Clock
from support.tiny_run import RECIPE, SAMPLES, Squares, assert_same
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ainet.errors import ModelError, UsageError
from ainet.training.checkpoint import load_checkpoint
from ainet.training.given_time import GivenTime
from ainet.training.networks import UNet
from ainet.training.options import RunOptions, TrainingProgress
from ainet.training.run_state import WEIGHTS
from ainet.training.state import STATE
from ainet.training.train import train
from ainet.training.trainer import LOGS, Trainer

pytestmark = pytest.mark.slow

Report = Callable[[TrainingProgress], None]
LOADING, VALIDATION, SECONDS = 4, 3, 30
FIRST_STEP = LOADING + VALIDATION  # seconds used when it is done
STEPS = SECONDS - VALIDATION - FIRST_STEP  # one a second, after the first


class Kill(BaseException):
    """Stands for a process that ends without notice."""


def piece(out: Path, then: Report = lambda progress: None, seconds: float = SECONDS, **options: Any) -> tuple[Trainer, Clock]:
    """A trainer within a time, and its clock; `then` is called after the second of each report."""
    clock = Clock()
    given = GivenTime(seconds, clock)
    clock.now += LOADING

    def report(progress: TrainingProgress) -> None:
        clock.now += 1
        then(progress)

    def validate(network: UNet) -> Mapping[str, float]:
        clock.now += VALIDATION
        return {"asa": 0.9}

    return Trainer("scn", RECIPE, SAMPLES, out, RunOptions(within=given, validate=validate, report=report, log_every=1, **options)), clock


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trainer, Clock, list[TrainingProgress]]:
    reports: list[TrainingProgress] = []
    trainer, clock = piece(tmp_path_factory.mktemp("whole"), reports.append)
    assert trainer.run()
    return trainer, clock, reports


def test_the_schedule_ends_with_the_time(whole: tuple[Trainer, Clock, list[TrainingProgress]]) -> None:
    trainer, clock, reports = whole
    # After the first step the first report has come, too.
    expected = [RECIPE.lr_at(0), *(RECIPE.lr_at(RECIPE.iterations * second / STEPS) for second in range(1, STEPS + 1))]
    assert [progress.figures["lr"] for progress in reports] == pytest.approx(expected)
    assert max(expected) > 0.9 * RECIPE.lr and expected[-1] < 1e-9
    assert clock.now <= SECONDS + 1
    assert sorted(trainer.validations) == [0, STEPS + 1]
    assert [progress.iterations for progress in reports[STEPS // 2 :]] == pytest.approx([STEPS] * (STEPS // 2 + 1), abs=3)


def test_the_boundary_loss_sets_in_at_its_share_of_the_time(whole: tuple[Trainer, Clock, list[TrainingProgress]]) -> None:
    _, _, reports = whole
    first = STEPS * RECIPE.boundary_start // RECIPE.iterations
    assert [progress.figures["boundary"] > 0 for progress in reports] == [False] * first + [True] * (STEPS + 1 - first)


def test_the_weights_say_what_was_run(whole: tuple[Trainer, Clock, list[TrainingProgress]]) -> None:
    trainer, _, reports = whole
    config = load_checkpoint(trainer.out / WEIGHTS).config
    crops = RECIPE.batch_size * (STEPS + 1)
    assert (config["within"], config["iteration"], config["crops"], config["val"]) == (SECONDS, STEPS + 1, crops, {"asa": 0.9})
    assert config["recipe"] == RECIPE.to_dict()
    assert reports[-1].crops == crops
    logs = EventAccumulator(str(trainer.out / LOGS)).Reload()
    assert [event.value for event in logs.Scalars("train/crops")] == [RECIPE.batch_size * (number + 1) for number in range(STEPS + 1)]
    assert [event.step for event in logs.Scalars("val/asa")] == [0, STEPS + 1]


def test_copies_are_kept_on_the_way(whole: tuple[Trainer, Clock, list[TrainingProgress]]) -> None:
    trainer, _, _ = whole
    kept = {path.name: load_checkpoint(path).config["iteration"] for path in trainer.out.glob("weights-*.safetensors")}
    expected = {30: 6, 50: 10, 70: 14, 85: 17}  # of 20 steps, one a second
    assert kept == {f"weights-{share}.safetensors": iteration for share, iteration in expected.items()}


def test_slow_steps_keep_the_last_copy_that_is_due(tmp_path: Path) -> None:
    def slow(progress: TrainingProgress) -> None:
        clock.now += 15  # of 20 seconds after the first step

    trainer, clock = piece(tmp_path, slow)
    assert trainer.run()
    kept = {path.name: load_checkpoint(path).config["iteration"] for path in trainer.out.glob("weights-*.safetensors")}
    assert kept == {"weights-70.safetensors": 1, "weights-85.safetensors": 2}


def test_a_killed_run_goes_on_in_the_time_that_is_left(tmp_path: Path) -> None:
    killed, resumed = [], []

    def kill(progress: TrainingProgress) -> None:
        killed.append(progress.figures["lr"])
        if progress.iteration == 9:
            raise Kill

    with pytest.raises(Kill):
        piece(tmp_path, kill, save_every=0)[0].run()
    trainer, clock = piece(tmp_path, lambda progress: resumed.append(progress.figures["lr"]))
    assert trainer.iteration == 8
    used = trainer.options.within.used
    assert used == FIRST_STEP + 8 + LOADING
    assert trainer.run()
    assert resumed[0] == pytest.approx(RECIPE.lr_at(RECIPE.iterations * 8 / STEPS))
    rates = killed[4:8] + resumed  # after the warm-up
    assert rates == sorted(rates, reverse=True) and rates[-1] < 1e-9
    assert used + clock.now - LOADING <= SECONDS + 1
    assert sorted(trainer.validations) == [0, 8 + len(resumed)]


def test_a_run_whose_time_is_over_only_says_so(tmp_path: Path, whole: tuple[Trainer, Clock, list[TrainingProgress]]) -> None:
    trainer, _, _ = whole
    again, _ = piece(trainer.out, lambda progress: pytest.fail("trained"))
    assert again.run()
    assert_same(again, trainer)


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_a_state_of_another_time_is_refused(whole: tuple[Trainer, Clock, list[TrainingProgress]], seconds: float | None) -> None:
    trainer, _, _ = whole
    options = RunOptions(within=None if seconds is None else GivenTime(seconds))
    with pytest.raises(ModelError, match=rf"within is {SECONDS} there and {seconds} here"):
        Trainer("scn", RECIPE, SAMPLES, trainer.out, options)


def test_a_state_without_a_time_is_refused_within_one(unbroken: Trainer) -> None:
    with pytest.raises(ModelError, match=f"within is None there and {SECONDS} here"):
        piece(unbroken.out)


def test_a_state_from_before_there_was_a_time_goes_on(tmp_path: Path, unbroken: Trainer) -> None:
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    for _ in range(2):
        trainer.step()
    trainer.save()
    state = torch.load(tmp_path / STATE, weights_only=True)
    for name in ("within", "time", "validations"):
        del state[name]
    torch.save(state, tmp_path / STATE)
    resumed = Trainer("scn", RECIPE, SAMPLES, tmp_path)
    resumed.run()
    assert_same(resumed, unbroken)


def test_a_damaged_time_is_named(tmp_path: Path, whole: tuple[Trainer, Clock, list[TrainingProgress]]) -> None:
    trainer, _, _ = whole
    state = torch.load(trainer.out / STATE, weights_only=True)
    for time in (None, {"used": 1.0}, {**state["time"], "share": float("nan")}):
        torch.save({**state, "time": time}, tmp_path / STATE)
        with pytest.raises(ModelError, match=r"cannot resume from .*state\.pt: it is damaged"):
            piece(tmp_path)


def test_several_processes_have_no_common_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_rank", lambda: 0)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    with pytest.raises(UsageError, match="a run within a time has one process"):
        piece(tmp_path)


@pytest.mark.parametrize(("end", "said"), [(0.95, "ASA on val 0.9500, at the start 0.9000"), (0.5, "worse than the start")])
def test_the_command_says_what_came_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], end: float, said: str) -> None:
    recipe = replace(RECIPE, boundary="off", jitter="off", annotations=1)
    text = "\n".join(f"{name} = {getattr(recipe, name)!r}" for name in ("iterations", "batch_size", "lr", "crop"))
    (tmp_path / "tiny.toml").write_text(text)
    clock = Clock()
    figures = iter((0.9, end))

    def data(splits: Sequence[str]) -> list[Squares]:
        return SAMPLES

    def validate(network: UNet) -> Mapping[str, float]:
        clock.now += 10  # the first one leaves no time: one step, and the end
        return {"asa": next(figures)}

    given = GivenTime(15, clock)
    assert train("scn", str(tmp_path / "tiny.toml"), data, str(tmp_path / "out"), "cpu", validate=validate, within=given)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("finished: 2 crops seen in 1 iterations") and said in last
