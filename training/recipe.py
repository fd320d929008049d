"""Recipes: everything that decides what a training run computes, as a TOML file.

    recipe = load_recipe("full")          # one of training/recipes/*.toml
    recipe = load_recipe("mine.toml")     # or a file

A recipe travels inside the checkpoints made with it. What only decides where and how long a run goes (device,
folders, time budget) is not part of it.
"""

import dataclasses
import math
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ainet.errors import UsageError, short
from ainet.files import path_text
from ainet.spec import CELL_SIZE
from ainet.training.jitter import Jitter
from ainet.training.losses import BOUNDARY_WEIGHT, POSITION_WEIGHT

MAX_FLOAT = 1e30  # well below the largest number of the tensors that it meets, which have 32 bits
FOLDER = Path(__file__).parent / "recipes"
CHOICES = {
    "schedule": ("constant", "step", "poly", "cosine", "warmup-stable-decay"),
    "optimizer": ("adam", "muon"),
    "boundary": ("off", "paper", "public"),
    "jitter": ("off", "paper", "public"),
}


@dataclass(frozen=True)
class Recipe:
    """Fields without a default must be in the file."""

    name: str
    iterations: int
    batch_size: int  # images per step, over all devices
    lr: float
    crop: int = 208  # height and width of the training crops, pixels
    smallest_scale: float = 1.0  # crops are resized by factors from this one ...
    largest_scale: float = 1.0  # ... to this one, and transposed; both 1: neither
    colour: float = 0.0  # with them: standard deviation of the logarithms of the channels' factors and of a common exponent
    seed: int = 1
    splits: tuple[str, ...] = ("train",)

    annotations: int = 1  # of each crop's image in the loss, which is their mean

    # poly: power 0.9; warmup-stable-decay: constant, and in the last part of the iterations straight down to 0
    schedule: Literal["constant", "step", "poly", "cosine", "warmup-stable-decay"] = "constant"
    halve_every: int = 0  # iterations; for "step"
    decay: float = 0.1  # that part, for "warmup-stable-decay"
    warmup: int = 0  # iterations of linear rise before the schedule

    position_weight: float = POSITION_WEIGHT  # m of Eq. 3; for SSN lambda, see `ssn`
    single_class_weight: float = 1.0  # of pixels in cells of one class, in the first term; 0.1 in its source, see `losses`
    laplacian_weight: float = 0.0  # of the Laplacian trace loss; 360 in its source, see `laplacian`
    distillation: float = 0.0  # weight of the divergence from the association map of the bundled AINet, see `distillation`
    boundary: Literal["off", "paper", "public"] = "off"  # public: patches from the label before jitter, shrunken means
    boundary_weight: float = BOUNDARY_WEIGHT  # alpha
    boundary_start: int = 0  # iteration of the first step with the boundary loss
    jitter: Jitter = "off"  # public: patch shuffle loses one of the two patches

    optimizer: Literal["adam", "muon"] = "adam"  # muon: for the kernels of convolutions, see `muon`
    weight_decay: float = 4e-4  # on weights; biases have none, as in the public code. With muon on its kernels alone
    ema_decay: float = 0.999
    bf16: bool = False  # autocast where the device is faster with it; weights, loss and optimizer stay float32

    def __post_init__(self) -> None:
        for field in ("iterations", "batch_size", "crop", "lr", "annotations", "single_class_weight"):
            self._require(getattr(self, field) > 0, field, "positive")
        weights = ("position_weight", "laplacian_weight", "distillation", "boundary_weight", "weight_decay")
        for field in ("halve_every", "warmup", "boundary_start", *weights):
            self._require(getattr(self, field) >= 0, field, "0 or more")
        self._require(0 <= self.ema_decay < 1, "ema_decay", "in [0, 1)")
        self._require(0 < self.decay <= 1, "decay", "in (0, 1]")
        self._require(0.1 <= self.smallest_scale <= 1, "smallest_scale", "in [0.1, 1]")
        self._require(1 <= self.largest_scale <= 10, "largest_scale", "in [1, 10]")
        self._require(0 <= self.colour <= 1, "colour", "in [0, 1]")
        self._require(self.colour == 0 or self.scales != (1, 1), "colour", "0 without a range of scales")
        self._require(self.jitter == "off" or self.scales == (1, 1), "jitter", "off with a range of scales")
        for field in ("iterations", "halve_every", "warmup", "boundary_start"):
            self._require(getattr(self, field) < 2**31, field, "below 2^31")
        for field in ("batch_size", "crop", "annotations"):
            self._require(getattr(self, field) < 2**16, field, "below 2^16")
        for number in (field.name for field in dataclasses.fields(self) if field.type is float):
            self._require(abs(getattr(self, number)) <= MAX_FLOAT, number, f"finite, and at most {MAX_FLOAT:g}")
        self._require(0 <= self.seed < 2**63, "seed", "in 0..2^63 - 1")
        self._require(self.crop % CELL_SIZE == 0 and self.crop > CELL_SIZE, "crop", f"a multiple of {CELL_SIZE} above it")
        for field, choices in CHOICES.items():
            self._require(getattr(self, field) in choices, field, "one of " + ", ".join(choices))
        self._require(self.schedule != "step" or self.halve_every > 0, "halve_every", "positive for the schedule 'step'")
        self._require(bool(self.splits), "splits", "a list of at least one split")

    @property
    def scales(self) -> tuple[float, float]:
        """The range of factors by which crops are resized."""
        return self.smallest_scale, self.largest_scale

    def _require(self, condition: bool, field: str, wanted: str) -> None:
        if not condition:
            raise UsageError(f"recipe '{self.name}': {field} is {short(getattr(self, field))}; it must be {wanted}")

    def lr_at(self, iteration: float) -> float:
        """Learning rate of the step from `iteration` to `iteration` + 1; a run within a time is also between two of them."""
        if iteration < self.warmup:
            return self.lr * (iteration + 1) / (self.warmup + 1)
        done = (iteration - self.warmup) / max(self.iterations - self.warmup, 1)  # 0..1
        match self.schedule:
            case "step":
                return self.lr * 0.5 ** (iteration // self.halve_every)
            case "poly":
                return self.lr * (1 - done) ** 0.9
            case "cosine":
                return self.lr * (1 + math.cos(math.pi * done)) / 2
            case "warmup-stable-decay":
                return self.lr * min(1.0, (1 - iteration / self.iterations) / self.decay)
        return self.lr

    def to_dict(self) -> dict[str, Any]:
        """JSON values, for checkpoints."""
        return {**dataclasses.asdict(self), "splits": list(self.splits)}


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its name or from a .toml file.

    Raises:
        UsageError: no such recipe, not TOML in UTF-8, an unknown or missing field, a value of the wrong type or out of range.
    """
    name = path_text(name, "a recipe is named by a word or by the path of a .toml file")
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.toml")))
        raise UsageError(f"no recipe '{name}'; choose one of {known}, or name a .toml file") from error
    except ValueError as error:  # of TOML, of UTF-8, or of integers with thousands of digits
        raise UsageError(f"{path} is not valid TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path} is nested too deeply for a recipe, which holds a value on each line") from error
    return recipe_from_dict({"name": path.stem, **values})


def recipe_from_dict(values: dict[str, Any]) -> Recipe:
    """Check field names and types. Raises UsageError."""
    fields = {field.name: field for field in dataclasses.fields(Recipe)}
    name = values.get("name")
    if not isinstance(name, str):
        raise UsageError(f"a recipe's name must be text, not {short(name)}")
    if unknown := sorted(values.keys() - fields.keys()):
        raise UsageError(f"recipe '{name}': unknown field '{unknown[0]}'; the fields are {', '.join(fields)}")
    needed = [field.name for field in fields.values() if field.default is dataclasses.MISSING]
    if missing := [field for field in needed if field not in values]:
        raise UsageError(f"recipe '{name}': the field '{missing[0]}' is missing")
    checked = {}
    for key, value in values.items():
        wanted = fields[key].type
        if wanted is float and type(value) is int:
            value = float(value) if abs(value) <= sys.float_info.max else math.inf
        elif wanted == tuple[str, ...] and isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = tuple(value)
        elif wanted == tuple[str, ...]:
            raise UsageError(f"recipe '{name}': {key} is {short(value)}; it must be a list of strings")
        elif isinstance(wanted, type) and type(value) is not wanted:  # bool is not taken for int
            raise UsageError(f"recipe '{name}': {key} is {short(value)}; it must be of the type {wanted.__name__}")
        checked[key] = value
    return Recipe(**checked)
