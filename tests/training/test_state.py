"""Training states that are whole files and hold something else than they should."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fuzz.weights import Squares

from ainet.errors import ModelError
from ainet.training.recipe import Recipe
from ainet.training.state import STATE
from ainet.training.trainer import Trainer

State = dict[str, Any]
RECIPE = Recipe("tiny", iterations=2, batch_size=1, lr=1e-3, crop=32)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state after one iteration."""
    folder = tmp_path_factory.mktemp("good")
    trainer = Trainer("ssn", RECIPE, [Squares()], folder)
    trainer.step()
    trainer.save()
    return folder / STATE


def moments(state: State) -> State:
    """What Adam knows of the first parameter."""
    return state["optimizers"][0]["state"][0]


CHANGES: dict[str, Callable[[State], object]] = {
    "no weights": lambda state: state.pop("weights"),
    "weights of another shape": lambda state: state["weights"].update({"scale1.0.0.weight": torch.zeros(3)}),
    "weights that are not finite": lambda state: state["weights"]["scale1.0.0.weight"].fill_(float("nan")),
    "an average that is not finite": lambda state: state["ema"]["module.scale1.0.0.weight"].fill_(float("inf")),
    "no optimizer": lambda state: state["optimizers"].clear(),
    "two optimizers": lambda state: state["optimizers"].append(state["optimizers"][0]),
    "no moments of one parameter": lambda state: state["optimizers"][0]["state"].pop(3),
    "moments of one parameter more": lambda state: state["optimizers"][0]["state"].update({99: moments(state)}),
    "one moment only": lambda state: moments(state).pop("exp_avg"),
    "a moment of another shape": lambda state: moments(state).update(exp_avg=torch.zeros(5)),
    "a moment that is not finite": lambda state: moments(state)["exp_avg_sq"].fill_(float("nan")),
    "a count of steps that no training has": lambda state: moments(state)["step"].fill_(-1e9),
    "a mean of squares that is negative": lambda state: moments(state)["exp_avg_sq"].fill_(-1.0),
    "a moment that is no tensor": lambda state: moments(state).update(exp_avg="x"),
    "an iteration after the last": lambda state: state.update(iteration=3),
    "an iteration before the first": lambda state: state.update(iteration=-1),
    "a fraction of an iteration": lambda state: state.update(iteration=0.5),
    "endless seconds": lambda state: state.update(seconds=float("nan")),
    "a list for a recipe": lambda state: state.update(recipe=[1]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_state_that_holds_something_else_is_named(tmp_path: Path, good: Path, change: Callable[[State], object]) -> None:
    state = torch.load(good, weights_only=True)
    change(state)
    torch.save(state, tmp_path / STATE)
    with pytest.raises(ModelError, match=r"cannot resume from .*state\.pt: it is damaged, .*; move it away"):
        Trainer("ssn", RECIPE, [Squares()], tmp_path)


def test_the_settings_of_an_optimizer_are_the_recipes(tmp_path: Path, good: Path) -> None:
    """A state of another version of PyTorch may lack some, and a changed one may not change them."""
    state = torch.load(good, weights_only=True)
    del state["optimizers"][0]["param_groups"][0]["capturable"]
    state["optimizers"][0]["param_groups"][1]["betas"] = (0.1, 0.1)
    torch.save(state, tmp_path / STATE)
    (adam,) = Trainer("ssn", RECIPE, [Squares()], tmp_path).optimizers
    assert [group["betas"] for group in adam.param_groups] == [(0.9, 0.999)] * 2
    assert [group["capturable"] for group in adam.param_groups] == [False, False]
