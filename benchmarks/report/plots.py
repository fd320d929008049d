"""The plots: drawn once, and written for the page and for a paper."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ainet.benchmarks.accuracy.regions import BY_COUNT
from ainet.benchmarks.report.results import Result, Results, method_order, row_id
from ainet.benchmarks.report.style import FAINT, GRID, INK, styles_of
from ainet.files import atomic_path
from ainet.metrics.summary import HEADLINE

LETTERS = 10  # points


@dataclass(frozen=True)
class Plot:
    """A figure, whose points are links to their rows in the page's tables."""

    name: str
    caption: str
    figure: Figure

    def for_page(self) -> str:
        """SVG as part of an HTML page: without size and namespaces, and with ids of its own."""
        svg = self._save("svg", "none").decode().replace("\n", " ").replace("xlink:href", "href").replace(' target="_blank"', "")
        root, content = svg[svg.index("<svg") :].split(">", 1)
        ids = set(re.findall(r' id="([^"]+)"', content))
        content = content.replace(' id="', f' id="{self.name}-')
        content = re.sub(r"#([\w.-]+)", lambda match: f"#{self.name}-{match[1]}" if match[1] in ids else match[0], content)
        view = root[root.index("viewBox") :].split('"')[1]
        return f'<svg viewBox="{view}" role="img" aria-label="{escape(self.caption)}">{content}'

    def for_paper(self, folder: Path) -> list[Path]:
        """Write NAME.svg, with its letters as outlines, and NAME.png at 200 dots per inch."""
        paths = [folder / f"{self.name}.{kind}" for kind in ("svg", "png")]
        for path in paths:
            with atomic_path(path) as temporary:
                temporary.write_bytes(self.picture(path.suffix[1:]))
        return paths

    def picture(self, kind: str) -> bytes:
        """The file for a paper: "svg" or "png"."""
        return self._save(kind, "path")

    def _save(self, kind: str, letters: str) -> bytes:
        buffer = io.BytesIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type")) if kind == "svg" else None  # the same bytes every time
        with matplotlib.rc_context({"font.size": LETTERS, "svg.hashsalt": "ainet", "svg.fonttype": letters}):
            self.figure.savefig(buffer, format=kind, dpi=200, transparent=letters == "none", metadata=nothing)
        return buffer.getvalue()


@dataclass(frozen=True)
class Curve:
    """The points of one method, each with the id of its row."""

    method: str
    x: Sequence[float]
    y: Sequence[float]
    rows: Sequence[str]


def draw_all(results: Results) -> list[Plot]:
    """Every plot that the results have data for."""
    plots = []
    if results.accuracy:
        curves = {result.data["method"]: result.data["scales"] for result in results.accuracy}
        plots = [
            _accuracy("fig4-asa", "ASA over the number of superpixels (Fig. 4 of the paper)", curves, "sp", "asa"),
            _accuracy("fig4-br-bp", "Boundary precision over boundary recall (Fig. 4 of the paper)", curves, "rec", "pre"),
            _accuracy("ue", "Undersegmentation error over the number of superpixels", curves, "sp", "ue_np"),
            _accuracy("co", "Compactness over the number of superpixels", curves, "sp", "co"),
        ]
    for number, result in enumerate(results.ablation):
        caption = "Ablation: ASA over the number of superpixels (Fig. 6 of the paper)"
        plots.append(_accuracy(f"fig6-{number}", caption, result.data["variants"], "sp", "asa", f"ablation{number}"))
    plots += merged_plots(results)
    for number, result in enumerate(results.proposals):
        plots.append(proposals_plot(result, number))
    for number, result in enumerate(results.latency):
        plots += _latency_plots(result.data, number)
    return plots


def merged_plots(results: Results) -> list[Plot]:
    """Merged regions, and the superpixels of all methods beside them."""
    if not results.merged:
        return []
    rows = results.merged[0].data["rows"]
    curves: dict[str, list[Mapping[str, Any]]] = {}
    identities: dict[str, list[str]] = {}
    for row in rows:
        name = f"{row['method']}, {way_of(row, rows)}"
        if row["start"] in (None, BY_COUNT) and not name.endswith(", image"):
            curves.setdefault(name, []).append(row["all"])
            identities.setdefault(name, []).append(region_row_id(row))
    ours = {row["method"] for row in rows}
    for result in results.beside_merged:
        method, scales = result.data["method"], result.data["scales"]
        if method not in ours:
            curves[method] = scales
            identities[method] = [row_id("accuracy", method, f"{entry['scale']:g}") for entry in scales]
    plots = []
    for name, caption, x, y in (
        ("regions-asa", "ASA over the number of regions: merged to exact counts, and superpixels as they are", "sp", "asa"),
        ("regions-br-bp", "Boundary precision over boundary recall: merged to exact counts, and superpixels as they are", "rec", "pre"),
    ):
        drawn = [Curve(key, [of[x] for of in points], [of[y] for of in points], identities[key]) for key, points in curves.items()]
        plots.append(draw(name, caption, drawn, "regions (actual mean)" if x == "sp" else LABELS[x], LABELS[y], log_x=x == "sp"))
    return plots


def way_of(row: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """How the regions of a row are made, in a word for people: the best learned cost of a method is "learned"."""
    with_network = any(other["method"] == row["method"] and other["cost"] == "network" for other in rows)
    best = "network" if with_network else "image"
    return {best: "learned", "del": "DEL"}.get(row["cost"], row["cost"])


def region_row_id(row: Mapping[str, Any]) -> str:
    return row_id("regions", f"{row['method']}-{row['start']}-{row['cost']}", str(row["count"]))


def proposals_plot(result: Result, number: int) -> Plot:
    """The accuracy of few regions, of every method and cost but those learned of the image where the network's is there."""
    rows = result.data["rows"]
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        way = way_of(row, rows)
        if way != "image":
            curves.setdefault(f"{row['method']}, {way}", []).append(row)
    group = f"proposals{number}"
    drawn = [
        Curve(name, [row["regions"] for row in of], [row["asa"] for row in of], [row_id(group, row["method"], row["cost"]) for row in of])
        for name, of in curves.items()
    ]
    return draw(group, "Object proposals: ASA of few regions (Fig. 9 of the paper)", drawn, "regions", LABELS["asa"], log_x=True)


LABELS = HEADLINE | {"sp": "superpixels (actual mean)"}


def _accuracy(name: str, caption: str, methods: Mapping[str, Any], x: str, y: str, group: str = "accuracy") -> Plot:
    curves = []
    for method, scales in methods.items():
        rows = [row_id(group, method, f"{entry['scale']:g}") for entry in scales]
        curves.append(Curve(method, [entry[x] for entry in scales], [entry[y] for entry in scales], rows))
    return draw(name, caption, curves, LABELS[x], LABELS[y], log_x=x == "sp")


def _latency_plots(data: Mapping[str, Any], number: int) -> list[Plot]:
    conditions = f"{data['settings']['device']}, CPU threads: {data['settings']['threads']}"
    plots = []
    if data["counts"]:
        caption = f"Time over the number of superpixels (Fig. 8 of the paper); {conditions}"
        curves = _times(data["counts"], f"counts{number}", lambda row: row["superpixels"])
        plots.append(draw(f"fig8-{number}", caption, curves, "superpixels (actual)", "ms", log_y=True))
    if data["sizes"]:
        curves = _times(data["sizes"], f"sizes{number}", lambda row: row["height"] * row["width"] / 1e6)
        plots.append(draw(f"sizes-{number}", f"Time over image size; {conditions}", curves, "megapixels", "ms", log_x=True, log_y=True))
    return plots


def _times(rows: Sequence[Mapping[str, Any]], group: str, x: Any) -> list[Curve]:
    methods = sorted({row["method"] for row in rows}, key=method_order)
    curves = []
    for method in methods:
        own = [row for row in rows if row["method"] == method]
        milliseconds = [1e3 * row["seconds"]["median"] for row in own]
        curves.append(Curve(method, [x(row) for row in own], milliseconds, [latency_row_id(group, row) for row in own]))
    return curves


def latency_row_id(group: str, row: Mapping[str, Any]) -> str:
    return row_id(group, row["method"], f"{row['height']}x{row['width']}-{row['n_segments']}")


def draw(name: str, caption: str, curves: Sequence[Curve], x: str, y: str, log_x: bool = False, log_y: bool = False) -> Plot:
    """Lines with markers, in the styles of their methods, over axes labelled `x` and `y`."""
    styles = styles_of(curve.method for curve in curves)
    with matplotlib.rc_context({"font.size": LETTERS}):
        figure = Figure(figsize=(7.6, 4.3), layout="constrained")
        axes = figure.subplots()
        for depth, curve in enumerate(curves):  # ours, the first, lie on top
            style = styles[curve.method]
            xs, ys = zip(*sorted(zip(curve.x, curve.y, strict=True)), strict=True)
            looks: dict[str, Any] = {"color": style.colour, "linewidth": style.width, "linestyle": style.dashes, "marker": style.marker}
            axes.plot(xs, ys, label=curve.method, markersize=4 + style.width, markeredgewidth=0, zorder=3 - depth / 100, **looks)
            # Over the markers lie unseen ones that lead to the rows.
            points = axes.scatter(curve.x, curve.y, 60, "none", zorder=4)
            points.set_urls([f"#{row}" for row in curve.rows])
        _finish(figure, axes, x, y, log_x, log_y)
    return Plot(name, caption, figure)


def _finish(figure: Figure, axes: Axes, x: str, y: str, log_x: bool, log_y: bool) -> None:
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    for is_log, axis, set_scale in ((log_x, axes.xaxis, axes.set_xscale), (log_y, axes.yaxis, axes.set_yscale)):
        if is_log:
            set_scale("log")
            axis.set_major_locator(LogLocator(10, (1, 2, 5), numticks=20))
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.tick_params(which="both", color=GRID, labelcolor=FAINT, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    figure.legend(loc="outside right center", frameon=False, labelcolor=INK, handlelength=2.6)
