"""Tables of the page. Every number says where it stands in the results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ainet.benchmarks.report.plots import latency_row_id
from ainet.benchmarks.report.results import Result, Results, method_order, row_id

OURS = ("ainet", "scn")
METRICS = {"sp": "superpixels", "asa": "ASA", "rec": "BR", "pre": "BP", "ue_np": "UE (Neubert)", "co": "CO", "ev": "EV"}


@dataclass(frozen=True)
class Number:
    """A value of a result, shown with `digits` behind the point."""

    result: Result
    keys: tuple[str | int, ...]
    digits: int = 4
    factor: float = 1.0

    @property
    def value(self) -> float | None:
        value = self.result.value(*self.keys)
        return None if value is None else value * self.factor

    def html(self, best: bool) -> str:
        value = self.value
        text = "-" if value is None else f"{value:,.{self.digits}f}"
        source = escape(self.result.pointer(*self.keys))
        order = "" if value is None else f' data-v="{value!r}"'
        return f'<td{order} data-src="{source}" title="{source}"{" class=best" if best else ""}>{text}</td>'


Cell = Number | str
Row = tuple[str, Sequence[Cell]]  # id, or "", and cells


def table(head: Sequence[str], rows: Iterable[Row], bold: Sequence[int] = ()) -> str:
    """A table that can be sorted; `bold`: columns of numbers whose highest stands out."""
    rows = list(rows)
    numbers = {column: [cells[column] for _, cells in rows] for column in bold}
    best = {
        column: max((c.value for c in cells if isinstance(c, Number) and c.value is not None), default=None)
        for column, cells in numbers.items()
    }
    lines = []
    for identity, cells in rows:
        shown = [
            cell.html(column in best and cell.value is not None and cell.value == best[column])
            if isinstance(cell, Number)
            else f"<td>{escape(cell)}</td>"
            for column, cell in enumerate(cells)
        ]
        ours = isinstance(cells[0], str) and cells[0].partition("@")[0] in OURS
        marks = (f' id="{identity}"' if identity else "") + (" class=ours" if ours else "")
        lines.append(f"<tr{marks}>{''.join(shown)}</tr>\n")
    heads = "".join(f'<th scope="col"><button type="button">{escape(title)}</button></th>' for title in head)
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>\n{"".join(lines)}</tbody></table></div>'


def accuracy_table(results: Results) -> str:
    """A row per method: the metrics at scale 1, and those over a range of counts."""
    rows: list[Row] = []
    for result in results.accuracy:
        scale = next((k for k, entry in enumerate(result.data["scales"]) if entry["scale"] == 1), None)
        at_one: list[Cell] = ["-"] * len(METRICS)
        if scale is not None:
            at_one = [Number(result, ("scales", scale, metric), 0 if metric == "sp" else 4) for metric in METRICS]
        over: list[Cell] = [Number(result, ("figures", *keys)) for keys in (("auc", "asa"), ("scales", "asa"), ("br_bp", "mean"))]
        rows.append(("", [result.data["method"], *at_one, *over]))
    low, high = results.accuracy[0].value("figures", "range")
    least, most = results.accuracy[0].value("figures", "br_bp", "range")
    over_counts = [f"ASA, mean over {low} to {high} actual", f"ASA, mean of scales {low} to {high}", f"BP, mean over BR {least} to {most}"]
    return table(["method", *METRICS.values(), *over_counts], rows, bold=(len(METRICS) + 1, len(METRICS) + 3))


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
                numbers = [Number(result, ("conventions", average, truths, metric)) for metric in ("asa", "rec", "pre", "ue_np")]
                rows.append(("", [result.data["method"], average, truths, Number(result, ("pairs", truths), 0), *numbers]))
    return table(["method", "average", "ground truths", "pairs", "ASA", "BR", "BP", "UE (Neubert)"], rows)


def latency_table(result: Result, part: str, number: int) -> str:
    """A row per method and case of a latency result; `part`: "counts" or "sizes"."""
    stages = list(dict.fromkeys(stage for row in result.data[part] for stage in row["stages"]))
    rows: list[Row] = []
    for k, row in sorted(enumerate(result.data[part]), key=lambda item: (method_order(item[1]["method"]), item[0])):
        times = [Number(result, (part, k, "seconds", name), 1, 1e3) for name in ("median", "p95")]
        ratios: list[Cell] = [Number(result, (part, k, "ratio", peer), 2) if peer in row["ratio"] else "-" for peer in ("scn", "ssn")]
        parts: list[Cell] = [Number(result, (part, k, "stages", stage), 1, 1e3) if stage in row["stages"] else "-" for stage in stages]
        counts = [Number(result, (part, k, name), 0) for name in ("n_segments", "superpixels", "repeats")]
        identity = latency_row_id(f"{part}{number}", row)
        rows.append((identity, [row["method"], f"{row['width']}x{row['height']}", *counts, *times, *ratios, *parts]))
    times_head = ["median ms", "p95 ms", "/ SCN", "/ SSN", *(f"{stage} ms" for stage in stages)]
    return table(["method", "image", "asked for", "superpixels", "repeats", *times_head], rows)


def memory_table(result: Result) -> str:
    rows = [
        (
            "",
            [row["method"], f"{row['width']}x{row['height']}", *(Number(result, ("memory", k, name), 0) for name in MEMORY if name in row)],
        )
        for k, row in enumerate(result.data["memory"])
    ]
    return table(["method", "image", *MEMORY.values()], rows)


MEMORY = {"n_segments": "asked for", "peak_mib": "peak MiB", "loaded_mib": "before the first image, MiB", "gpu_mib": "GPU MiB"}


def growth_table(result: Result) -> str:
    rows = [
        ("", [method, *(Number(result, ("growth", method, name), digits) for name, digits in (("exponent", 2), ("points", 0)))])
        for method in sorted(result.data["growth"], key=method_order)
    ]
    return table(["method", "time grows with pixels to the power of", "sizes in the fit"], rows)


def facts(values: Mapping[str, Any]) -> str:
    """Keys and values as two columns."""
    lines = "".join(f"<dt>{escape(str(key))}</dt><dd>{escape(_plain(value))}</dd>" for key, value in values.items())
    return f"<dl>{lines}</dl>"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)
