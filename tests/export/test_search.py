"""The search for layers that stay in float, on agreements that are made up."""

from collections.abc import Collection

import pytest

from ainet.errors import ModelError
from ainet.export.agreement import BOUNDS, Agreement
from ainet.export.search import keep_in_float

NAMES = ("a", "b", "c", "d", "e", "f")
COST = {"a": 1, "b": 50, "c": 3, "d": 4, "e": 90, "f": 2}  # pixels of 10,000 that a reduced layer moves; fp16 allows 10


class Measured:
    """Agreement of a model whose layers' costs add up; counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, float_layers: Collection[str]) -> Agreement:
        self.calls += 1
        return Agreement(10_000, 10_000 - sum(cost for name, cost in COST.items() if name not in float_layers))


def test_no_layer_is_kept_where_none_needs_to_be() -> None:
    measure = Measured()
    found = keep_in_float(("a", "c", "d"), lambda kept: measure((*kept, "b", "e", "f")), BOUNDS["fp16"])
    assert (found.layers, found.alone, measure.calls) == ((), {}, 1)
    assert found.agreement == found.reduced


def test_the_worst_layers_are_kept_first() -> None:
    steps = []
    measure = Measured()
    found = keep_in_float(NAMES, measure, BOUNDS["fp16"], progress=lambda what, done, total: steps.append((done, total)))
    assert found.layers == ("b", "e")  # in the network's order, though "e" is the worse
    assert (found.reduced.equal, found.agreement.equal) == (10_000 - 150, 10_000 - 10)
    assert {name: 10_000 - agreement.equal for name, agreement in found.alone.items()} == COST
    assert measure.calls == 1 + 6 + 2
    assert steps[0] == (0, 10)
    assert steps[-1] == (10, 10)
    assert steps == sorted(steps)


def test_cheap_layers_are_kept_before_dear_ones() -> None:
    """Of those that move 90 and 50 pixels the second comes first where it takes a third of the time."""
    found = keep_in_float(NAMES, Measured(), BOUNDS["fp16"], cost=dict.fromkeys(NAMES, 1.0) | {"e": 3.0})
    assert found.layers == ("b", "e")
    found = keep_in_float(("b", "e"), lambda kept: Agreement(100, 100 if "b" in kept else 50), BOUNDS["fp16"], cost={"b": 1.0, "e": 3.0})
    assert found.layers == ("b",)


def test_every_layer_is_measured_on_demand() -> None:
    measure = Measured()
    found = keep_in_float(("a", "c"), lambda kept: measure((*kept, "b", "d", "e", "f")), BOUNDS["fp16"], every_layer=True)
    assert (found.layers, set(found.alone), measure.calls) == ((), {"a", "c"}, 3)


def test_bounds_out_of_reach() -> None:
    def measure(float_layers: Collection[str]) -> Agreement:
        return Agreement(100, 50 + (10 if set(float_layers) == {"a"} else 0))

    with pytest.raises(ModelError, match=r"argmax.*60\.000%.*with a in float"):
        keep_in_float(("a", "b", "c", "d"), measure, BOUNDS["int8"])
