"""Each layer's share of pixels moved to another cell, as a bar chart."""

import os

import matplotlib
from matplotlib.figure import Figure

from ainet.export.search import Found


def save_bars(found: Found, path: str | os.PathLike[str]) -> None:
    """Write the chart as an SVG; layers that are left in float are orange. Equal results give equal files."""
    names = list(found.alone)
    shares = [1 - agreement.argmax for agreement in found.alone.values()]
    figure = Figure(figsize=(7, 0.25 * len(names) + 1), layout="constrained")
    axes = figure.add_subplot(title="pixels with another best cell, one layer in INT8 (orange: left in float)")
    bars = axes.barh(names, shares, color=["darkorange" if name in found.layers else "steelblue" for name in names])
    axes.bar_label(bars, [f"{share:.2%}" for share in shares], padding=3)
    axes.invert_yaxis()
    axes.xaxis.set_visible(False)
    axes.margins(x=0.15)
    with matplotlib.rc_context({"svg.hashsalt": "ainet", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
