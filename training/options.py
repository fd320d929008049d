"""What decides where and how a training run goes, and not what it computes; and what it tells on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ainet.training.checkpoint import Checkpoint
from ainet.training.given_time import GivenTime
from ainet.training.networks import UNet

Validate = Callable[[UNet], Mapping[str, float]]


@dataclass(frozen=True)
class TrainingProgress:
    """Means over the iterations since the last report. figures: `step.FIGURES`, lr, seconds (per iteration).

    crops: seen so far. iterations: of the whole run; where that has a time, as many as there will be at its speed so far.
    """

    iteration: int
    iterations: int
    crops: int
    figures: Mapping[str, float]


@dataclass(frozen=True)
class RunOptions:
    """What decides where and how a run goes, and not what it computes.

    initial: a checkpoint whose weights the run starts from, instead of random ones.
    device: of torch.
    compiled: pass network and loss through torch.compile; on one GPU with CUDA graphs.
    validate: called with the EMA network, in eval mode on `device`; gives figures by name for the logs. Not for SSN, whose input is
        another.
    within: the time of the whole run, into which the recipe's schedule is fitted: it ends with the time, not after `iterations`. It is
        validated at the start too, and leaves copies of the weights on the way.
    validate_every: seconds between two validations; there is always one at the end of the recipe.
    save_every: seconds between two checkpoints.
    log_every: iterations between two reports.
    report: called with the progress at every report.
    """

    initial: Checkpoint | None = None
    device: str = "cpu"
    compiled: bool = False
    validate: Validate | None = None
    within: GivenTime | None = None
    validate_every: float = 1200
    save_every: float = 300
    log_every: int = 50
    report: Callable[[TrainingProgress], None] = lambda progress: None


DEFAULTS = RunOptions()
