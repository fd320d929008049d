"""Which layers have to stay in float for the others to run in a smaller precision: as few as it takes.

    found = keep_in_float(names, compare, BOUNDS["int8"])
    found.layers        # () where all layers may be reduced

`compare(layers)` gives the agreement of the model that keeps these layers in float with the float model.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from ainet.errors import ModelError
from ainet.export.agreement import Agreement, Bounds

Progress = Callable[[str, int, int], None]  # which model is compared, how many models are done, how many there are at most

MAX_FLOAT = 0.5  # share of the layers that may stay in float; with more of them a reduced model is not worth the name


@dataclass(frozen=True)
class Found:
    """`layers` stay in float. Agreement of the models: `reduced` with no layer in float, `agreement` with these, `alone[layer]`
    with all in float but one; the last is empty where it was not asked for and not needed."""

    layers: tuple[str, ...]
    reduced: Agreement
    agreement: Agreement
    alone: dict[str, Agreement]


def keep_in_float(
    names: Sequence[str],
    compare: Callable[[Collection[str]], Agreement],
    bounds: Bounds,
    every_layer: bool = False,
    progress: Progress = lambda what, done, total: None,
    cost: Mapping[str, float] | None = None,
) -> Found:
    """Keep one layer of `names` more in float until the model is within `bounds`, those first that alone move most pixels.

    `every_layer`: try each layer alone even where none has to stay in float. `cost`: what it costs to leave a layer in float; those
    come first that move most pixels for their cost. None: all cost the same.

    Raises:
        ModelError: not even with half of the layers in float; the message says the best that was found.
    """
    most = int(len(names) * MAX_FLOAT)
    total = 1 + len(names) + most
    progress("all layers reduced", 0, total)
    tried = [compare(())]  # with 0, 1, 2 ... layers in float
    alone: dict[str, Agreement] = {}
    if every_layer or tried[0].failures(bounds):
        for done, name in enumerate(names, 1):
            progress(f"{name} alone", done, total)
            alone[name] = compare([other for other in names if other != name])
    costs = dict.fromkeys(names, 1.0) if cost is None else cost
    order = sorted(alone, key=lambda name: (alone[name].argmax - 1) / costs[name])
    while tried[-1].failures(bounds) and len(tried) <= most:
        kept = order[: len(tried)]
        progress(f"{', '.join(kept)} in float", len(names) + len(kept), total)
        tried.append(compare(kept))
    if failures := tried[-1].failures(bounds):
        best = max(tried, key=lambda agreement: agreement.argmax)
        kept = order[: tried.index(best)]
        raise ModelError(
            f"with {most} of {len(names)} layers in float the model is still out of bounds ({', '.join(failures)}); "
            f"the best found is {best} with {', '.join(kept) or 'no layer'} in float"
        )
    progress("done", total, total)
    float_layers = order[: len(tried) - 1]
    return Found(tuple(name for name in names if name in float_layers), tried[0], tried[-1], alone)
