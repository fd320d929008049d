"""Colours and markers of the methods, told apart without colour too; ours stand out."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import cycle

INK, FAINT, GRID = "#1d2125", "#5c6670", "#e3e6e8"


@dataclass(frozen=True)
class Style:
    """Of a method's line: colour, marker (matplotlib), dashes, width in points."""

    colour: str
    marker: str
    dashes: str = "-"
    width: float = 1.1


# The strong colours are of Okabe and Ito's palette, which colour-blind readers tell apart; each method has a marker of its own.
STYLES = {
    "ainet": Style("#d55e00", "o", width=2.6),
    "ainet-lite": Style("#cc79a7", "o", "-.", width=2.0),
    "scn": Style("#0072b2", "s", width=2.0),
    "ssn": Style("#009e73", "^"),
    "seal": Style("#b3578f", "v"),
    "ers": Style("#8f7100", "D", "--"),
    "slic": Style("#6a7178", "P", "--"),
    "slic-cv": Style("#858c93", "p", ":"),
    "slico": Style("#9da3a9", "h", ":"),
    "lsc": Style("#5a4fa3", "X", "--"),
    "seeds": Style("#8b5a2b", "*", "--"),
    "snic": Style("#3a8ca8", "d", "--"),
}
OTHERS = tuple(
    Style(colour, marker, ":")
    for colour, marker in zip(
        ("#a0522d", "#4d7c0f", "#7c3aed", "#0f766e", "#be123c", "#1d4ed8", "#65510f", "#86198f", "#334155", "#15803d"),
        "<>8Hos^vDP",
        strict=True,
    )
)


DASHES = {"learned": "-", "direct": "--", "plain": ":", "DEL": "-."}  # of the ways in which the regions of one method are made


def styles_of(methods: Iterable[str]) -> dict[str, Style]:
    """A style for each curve of a plot, called METHOD, METHOD@DEVICE or "METHOD, WAY".

    The method's where the curve is the first to bear it, with the dashes of the way; else one of the spare ones.
    """
    found: dict[str, Style] = {}
    spare = cycle(OTHERS)
    for method in methods:
        base, _, way = method.partition(", ")
        known = STYLES.get(base.partition("@")[0])
        if known is not None and way in DASHES:
            known = replace(known, dashes=DASHES[way])
        found[method] = known if known and known not in found.values() else next(spare)
    return found
