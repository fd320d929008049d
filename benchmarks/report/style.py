"""Colours and markers of the methods, told apart without colour too; ours stand out. The page takes its variables from here."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle

INK, FAINT, GRID = "#1d2125", "#5c6670", "#e3e6e8"
DARK = {INK: "#e6e8ea", FAINT: "#9aa4ad", GRID: "#30363c"}


@dataclass(frozen=True)
class Style:
    """Of a method's line: colours on a light and on a dark page, marker (matplotlib), dashes, width in points."""

    light: str
    dark: str
    marker: str
    dashes: str = "-"
    width: float = 1.1


# The strong colours are of Okabe and Ito's palette, which colour-blind readers tell apart; each method has a marker of its own.
STYLES = {
    "ainet": Style("#d55e00", "#ff8a33", "o", width=2.6),
    "scn": Style("#0072b2", "#56b4e9", "s", width=2.0),
    "ssn": Style("#009e73", "#2fc99c", "^"),
    "seal": Style("#b3578f", "#e29bc6", "v"),
    "ers": Style("#8f7100", "#e0b92f", "D", "--"),
    "slic": Style("#6a7178", "#a3abb3", "P", "--"),
    "slic-cv": Style("#858c93", "#878f97", "p", ":"),
    "slico": Style("#9da3a9", "#6f767d", "h", ":"),
    "lsc": Style("#5a4fa3", "#a79df0", "X", "--"),
    "seeds": Style("#8b5a2b", "#d39a63", "*", "--"),
    "snic": Style("#3a8ca8", "#7fcbe2", "d", "--"),
}
OTHERS = (
    Style("#a0522d", "#cf8a66", "<"),
    Style("#4d7c0f", "#a3cf5f", ">"),
    Style("#7c3aed", "#b794f6", "8"),
    Style("#0f766e", "#5eead4", "H"),
    Style("#be123c", "#fb7185", "o", ":"),
    Style("#1d4ed8", "#93c5fd", "s", ":"),
    Style("#65510f", "#d6bc62", "^", ":"),
    Style("#86198f", "#e879f9", "v", ":"),
    Style("#334155", "#94a3b8", "D", ":"),
    Style("#15803d", "#86efac", "P", ":"),
)


def styles_of(methods: Iterable[str]) -> dict[str, Style]:
    """A style for each method of a plot: that of its base name where it is the first to bear it, else one of the spare ones."""
    found: dict[str, Style] = {}
    spare = cycle(OTHERS)
    for method in methods:
        known = STYLES.get(method.partition("@")[0])
        found[method] = known if known and known not in found.values() else next(spare)
    return found


def colour_variables() -> dict[str, str]:
    """CSS variable of every colour of the plots, by the colour on a light page."""
    return {light: f"--c{number}" for number, light in enumerate(_dark())}


def style_sheet() -> str:
    """The values of the variables, light and dark."""
    light = "".join(f"{variable}:{colour};" for colour, variable in colour_variables().items())
    dark = "".join(f"{colour_variables()[colour]}:{value};" for colour, value in _dark().items())
    return f":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n"


def _dark() -> dict[str, str]:
    return {**DARK, **{style.light: style.dark for style in (*STYLES.values(), *OTHERS)}}
