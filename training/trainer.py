"""The training loop.

    trainer = Trainer("ainet", load_recipe("full"), bsds500(root, "train"), out="runs/ainet")
    finished = trainer.run(budget=25 * 60)

The output folder holds `state.pt` (all that resuming needs), `weights.safetensors` (the EMA copy, ready for inference)
and TensorBoard logs. A trainer made on a folder with a state goes on from there, and ends with the same weights as a run
that was never stopped: batches follow from the iteration number, so the state is weights, optimizer and that number. A run that has
a time (`RunOptions.within`) goes on with what is left of time and schedule.

In processes started by torchrun, after `torch.distributed.init_process_group`, every process takes its part of a batch.
"""

import shutil
import time
from contextlib import nullcontext

from ainet.files import atomic_path
from ainet.training.given_time import GivenTime
from ainet.training.logs import EventLog
from ainet.training.memory import MEMORY_ERRORS, is_out_of_memory
from ainet.training.networks import UNet
from ainet.training.options import TrainingProgress
from ainet.training.run_state import WEIGHTS, RunState
from ainet.training.step import FIGURES
from ainet.training.stop import StopSignals

LOGS = "logs"
COPIES = (0.3, 0.5, 0.7, 0.85)  # shares of the time after which a run within a time keeps its weights


class Trainer(RunState):
    """Trains a network by a recipe, in one or many pieces; made as a `RunState`."""

    def run(self, budget: float | None = None) -> bool:
        """Train until the recipe or its time ends, `budget` seconds have passed, or SIGINT or SIGTERM comes; always leaves a checkpoint.

        Returns whether the run is complete. Nobody else may write into the output folder: see `locked`.

        Raises:
            TrainingError: the loss is not finite, or memory ran out, and the last good checkpoint stays; or another process or host was
                lost, and every host that is left has a checkpoint.
            OutputError: a checkpoint or the log cannot be written; the checkpoint before stays.
        """
        end = time.monotonic() + (float("inf") if budget is None else budget)
        with (
            StopSignals() as signals,
            EventLog(self.out / LOGS, self.iteration + 1) if self.processes.first else nullcontext() as logs,
        ):
            try:
                finished = self._iterate(end, signals, logs)
                self.save()
            except MEMORY_ERRORS as error:
                if is_out_of_memory(error):
                    raise self._out_of_memory() from error
                if isinstance(error, RuntimeError) and self.processes.lost(error):
                    raise self._left_alone() from error
                raise
        return finished

    def _iterate(self, end: float, signals: StopSignals, logs: EventLog | None) -> bool:
        """Train until the run ends, or a process has a reason to stop; returns whether it has ended."""
        saved = validated = reported = last = time.monotonic()
        finished = self.position >= self.recipe.iterations
        if self.options.within is not None and self.iteration == 0:
            self._rehearse_end(self.options.within, logs)
        if finished and self.iteration not in self.validations:  # killed between the last step and the end of its validation
            self._validate(logs)
        shares = () if self.options.within is None else COPIES
        copies = [share for share in shares if self.recipe.iterations * share > self.position]
        while not finished:
            self._losses.append(self.step())
            finished = self.position >= self.recipe.iterations
            if finished or self.iteration % self.options.log_every == 0:
                now = time.monotonic()
                self._report(logs, (now - reported) / len(self._losses))
                reported = now
            now = time.monotonic()
            self.seconds += now - last
            last = now
            stop, save, validate = self._any_process(
                signals.received or now >= end,
                now - saved >= self.options.save_every,
                finished or now - validated >= self.options.validate_every,
            )
            if validate and self.options.validate is not None:
                self.save()  # before the validation, which may fail on its own data; this also checks the losses
                self._validate(logs)
                saved = validated = time.monotonic()
            elif save:
                self.save()
                saved = time.monotonic()
            passed = [share for share in copies if self.position >= self.recipe.iterations * share]
            if passed:
                self._keep_copy(passed[-1])
                copies = copies[len(passed) :]
            if stop:
                break
        return finished

    def _rehearse_end(self, within: GivenTime, logs: EventLog | None) -> None:
        """Validate and save what the run starts from: figures to compare with, and how long its end will take."""
        before = within.used
        self._validate(logs)
        self.save()
        within.ending = within.used - before

    def _keep_copy(self, share: float) -> None:
        """Write the weights as they are after a share of the time, beside those of the end."""
        self.save()
        with atomic_path(self.out / f"weights-{100 * share:.0f}.safetensors") as temporary:
            shutil.copyfile(self.out / WEIGHTS, temporary)

    def _validate(self, logs: EventLog | None) -> None:
        if logs is not None and self.options.validate is not None and isinstance(self.ema.module, UNet):
            figures = self.validations[self.iteration] = dict(self.options.validate(self.ema.module))
            logs.add("val", figures, self.iteration)

    def _any_process(self, *wishes: bool) -> list[bool]:
        """Which wishes any process has. GPUs meet only every `log_every` iterations, so as not to wait at each short step."""
        meet = self.iteration % self.options.log_every == 0 or self.iteration == self.recipe.iterations
        if self.processes.count > 1 and self.device.type == "cuda" and not meet:
            return [False] * len(wishes)
        return self.processes.any(*wishes)

    def _report(self, logs: EventLog | None, seconds: float) -> None:
        figures = dict(zip(FIGURES, self._finite_losses().mean(0).tolist(), strict=True))
        figures |= {"lr": self._lr, "seconds": seconds}
        self._losses.clear()
        if logs is not None:
            logs.add("train", {**figures, "crops": self.crops}, self.iteration)
            done = self.position / self.recipe.iterations  # 0 after the first step of a run within a time
            iterations = round(self.iteration / done) if done else self.recipe.iterations
            self.options.report(TrainingProgress(self.iteration, iterations, self.crops, figures))
