"""Tables of the page. Every number says where it stands in the results."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

from ainet.benchmarks.report.plots import latency_row_id, region_row_id, way_of
from ainet.benchmarks.report.results import Result, Results, method_order, row_id
from ainet.metrics.curves import COUNTS, RECALLS
from ainet.metrics.summary import HEADLINE

OURS = ("ainet", "ainet-lite", "scn")
REGION_METRICS = ("sp", "asa", "rec", "pre", "co")
PAIR_METRICS = ("asa", "rec", "pre", "ue_np")  # whose conventions of averaging differ
METRICS = {"sp": HEADLINE["sp"]} | HEADLINE  # the count first


@dataclass(frozen=True)
class Number:
    """A value of a result, shown with `digits` behind the point."""

    result: Result
    keys: tuple[str | int, ...]
    digits: int = 4
    factor: float = 1.0

    def html(self) -> str:
        value = self.result.value(*self.keys)
        if value is None:
            return "<td>-</td>"
        value *= self.factor
        source = escape(self.result.pointer(*self.keys))
        return f'<td data-v="{value!r}" data-src="{source}" title="{source}">{value:,.{self.digits}f}</td>'


Cell = Number | str
Row = tuple[str, Sequence[Cell]]  # id, or "", and cells


def table(head: Sequence[str], rows: Iterable[Row]) -> str:
    """A table that can be sorted; the first cell of a row is a method."""
    lines = []
    for identity, cells in rows:
        shown = "".join(cell.html() if isinstance(cell, Number) else f"<td>{escape(cell)}</td>" for cell in cells)
        row_class = " class=ours" if str(cells[0]).partition("@")[0] in OURS else ""
        row_mark = f' id="{identity}"' if identity else ""
        lines.append(f"<tr{row_mark}{row_class}>{shown}</tr>\n")
    heads = "".join(f'<th scope="col"><button type="button">{escape(title)}</button></th>' for title in head)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>\n{"".join(lines)}</tbody></table></div>'


def accuracy_table(results: Results) -> str:
    """A row per method: the metrics at scale 1, and those over a range of counts."""
    rows: list[Row] = []
    for result in results.accuracy:
        at_one = [Number(result, ("conventions", "row_mean", "all_gts", metric), 0 if metric == "sp" else 4) for metric in METRICS]
        over = [Number(result, ("figures", *keys)) for keys in (("auc", "asa"), ("scales", "asa"), ("br_bp", "mean"))]
        rows.append(("", [result.data["method"], *at_one, *over]))
    low, high = results.accuracy[0].value("figures", "range")
    least, most = results.accuracy[0].value("figures", "br_bp", "range")
    over_counts = [f"ASA, mean over {low} to {high} actual", f"ASA, mean of scales {low} to {high}", f"BP, mean over BR {least} to {most}"]
    return table(["method", *METRICS.values(), *over_counts], rows)


def scales_table(
    results: Sequence[Result], keys: Callable[[Result], Iterable[tuple[str, tuple[str, ...]]]], group: str = "accuracy"
) -> str:
    """A row per method and scale; `keys`: of a result, its methods and where their scales stand."""
    rows: list[Row] = []
    for result in results:
        for method, path in keys(result):
            for k, entry in enumerate(result.value(*path)):
                numbers = [Number(result, (*path, k, metric), 1 if metric == "sp" else 4) for metric in METRICS]
                places = [Number(result, (*path, k, "scale"), 1), Number(result, (*path, k, "n_segments"), 0)]
                rows.append((row_id(group, method, f"{entry['scale']:g}"), [method, *places, *numbers]))
    return table(["method", "scale", "asked for", *METRICS.values()], rows)


def conventions_table(results: Results) -> str:
    """The same label maps by every convention of averaging, at scale 1."""
    rows: list[Row] = []
    for result in results.accuracy:
        for average, by_truths in result.data["conventions"].items():
            for truths in by_truths:
                numbers = [Number(result, ("conventions", average, truths, metric)) for metric in PAIR_METRICS]
                rows.append(("", [result.data["method"], average, truths, Number(result, ("pairs", truths), 0), *numbers]))
    return table(["method", "average", "ground truths", "pairs", *(METRICS[metric] for metric in PAIR_METRICS)], rows)


def latency_table(result: Result, part: str, number: int) -> str:
    """A row per method and case of a latency result; `part`: "counts" or "sizes"."""
    stages = list(dict.fromkeys(stage for row in result.data[part] for stage in row["stages"]))
    rows: list[Row] = []
    for k, row in sorted(enumerate(result.data[part]), key=lambda item: (method_order(item[1]["method"]), item[0])):
        times = [Number(result, (part, k, "seconds", name), 1, 1e3) for name in ("median", "p95")]
        ratios = [Number(result, (part, k, "ratio", peer), 2) for peer in ("scn", "ssn")]
        parts = [Number(result, (part, k, "stages", stage), 1, 1e3) for stage in stages]
        counts = [Number(result, (part, k, name), 0) for name in ("n_segments", "superpixels", "repeats")]
        identity = latency_row_id(f"{part}{number}", row)
        rows.append((identity, [row["method"], f"{row['width']}x{row['height']}", *counts, *times, *ratios, *parts]))
    times_head = ["median ms", "p95 ms", "/ SCN", "/ SSN", *(f"{stage} ms" for stage in stages)]
    return table(["method", "image", "asked for", "superpixels", "repeats", *times_head], rows)


def regions_table(result: Result) -> str:
    """A row per method, start, cost and count."""
    rows: list[Row] = []
    for k, row in enumerate(result.data["rows"]):
        numbers = [Number(result, ("rows", k, "all", metric), 1 if metric == "sp" else 4) for metric in REGION_METRICS]
        start = "-" if row["start"] is None else str(row["start"])
        cells = [row["method"], way_of(row, result.data["rows"]), start, Number(result, ("rows", k, "count"), 0), *numbers]
        rows.append((region_row_id(row), cells))
    return table(["method", "merged", "from", "asked for", *(METRICS[metric] for metric in REGION_METRICS)], rows)


def region_figures_table(result: Result) -> str:
    """A row per method and cost: the figures along the curves, of all images, and of the even and the odd ones."""
    rows: list[Row] = []
    for k, row in enumerate(result.data["figures"]):
        numbers = [Number(result, ("figures", k, part, name)) for name in ("asa", "br_bp") for part in ("all", "even", "odd")]
        rows.append(("", [row["method"], way_of(row, result.data["figures"]), *numbers]))
    titles = (f"ASA, {COUNTS[0]} to {COUNTS[1]:,}", f"BP over BR {RECALLS[0]} to {RECALLS[1]}")
    head = [f"{title}{part}" for title in titles for part in ("", ", even images", ", odd images")]
    return table(["method", "merged", *head], rows)


def proposals_table(result: Result, number: int) -> str:
    """A row per method and cost, a column per number of regions."""
    found = result.data["rows"]
    counts = list(dict.fromkeys(row["regions"] for row in found))
    rows: list[Row] = []
    for method, cost in dict.fromkeys((row["method"], row["cost"]) for row in found):
        places = [k for k, row in enumerate(found) if (row["method"], row["cost"]) == (method, cost)]
        numbers = [Number(result, ("rows", k, "asa")) for k in places]
        rows.append((row_id(f"proposals{number}", method, cost), [method, way_of(found[places[0]], found), *numbers]))
    return table(["method", "merged", *(f"ASA, {count} regions" for count in counts)], rows)


MEMORY = {"n_segments": "asked for", "peak_mib": "peak MiB", "loaded_mib": "before the first image, MiB", "gpu_mib": "GPU MiB"}


def memory_table(result: Result) -> str:
    rows: list[Row] = []
    for k, row in enumerate(result.data["memory"]):
        numbers = [Number(result, ("memory", k, name), 0) for name in MEMORY]
        rows.append(("", [row["method"], f"{row['width']}x{row['height']}", *numbers]))
    return table(["method", "image", *MEMORY.values()], rows)


def growth_table(result: Result) -> str:
    rows: list[Row] = []
    for method in sorted(result.data["growth"], key=method_order):
        rows.append(("", [method, Number(result, ("growth", method, "exponent"), 2), Number(result, ("growth", method, "points"), 0)]))
    return table(["method", "time grows with pixels to the power of", "sizes in the fit"], rows)
