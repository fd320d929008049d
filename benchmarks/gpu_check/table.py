"""The short table at the end of the check, from its JSON."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ainet.benchmarks.gpu_check.stages import STAGES

Cells = list[str]
Record = Mapping[str, Any]
LATENCIES = ("latency", "latency, compiled")


def table(result: Record) -> str:
    """All blocks that the sections gave something for, as plain text."""
    sections = result["sections"]
    return "\n\n".join(block for make in BLOCKS if (block := make(result, sections)))


def _overview(result: Record, sections: Record) -> str:
    machine = sections["machine"]["result"]
    name = machine.get("machine", {}).get("gpu")
    gpu = f"on {name or 'a GPU'} ({machine['gpu']})" if machine.get("gpu") else "without a GPU (nothing was checked on a device)"
    build = "" if result["build_seconds"] is None else f" after {result['build_seconds']:.0f} s of building"
    head = f"GPU check {gpu}: {result['seconds']:.0f} s of {result['budget_s']:.0f} s{build}"
    rows = [[label, record["status"], f"{record['seconds']:.1f}", _remark(record)] for label, record in sections.items()]
    return f"{head}\n\n{aligned(['section', 'status', 's', ''], rows)}"


def _remark(record: Record) -> str:
    found = record["result"]
    if record["error"]:
        return str(record["error"])[:110]
    if failures := found.get("failures"):
        return f"{len(failures)} failures: {failures[0]}"[:110]
    if "passed" in found:
        counts = [f"{found['passed']} tests passed, {len(found['skipped'])} skipped"]
        recorded = found["recorded"].values()
        if maps := sum(one.get("maps", 0) for one in recorded):
            counts.append(f"{maps:,} maps, {sum(one.get('different_pixels', 0) for one in recorded)} pixels differ from the CPU's")
        return "; ".join(counts)
    if "tools" in found and isinstance(found["tools"], dict):
        return ", ".join(f"{tool}: {one['errors']} errors in {one['tests']} tests" for tool, one in found["tools"].items())
    if "engines" in found:
        return f"{len(found['exports'])} exports, {len(found['engines'])} engines"
    return ""


def _rates(result: Record, sections: Record) -> str:
    rates = _found(sections, "floor").get("rates")
    if not rates:
        return ""
    cells = [f"{label.replace('_', ' ')} {value / 1e12:.3g} T{'op' if 'matrix' in label else 'B'}/s" for label, value in rates.items()]
    return "measured rates: " + ", ".join(cells)


def _latency(result: Record, sections: Record) -> str:
    floors = {_key(row): row["end_to_end_ms"] for row in _found(sections, "floor").get("rows", ()) if row["network"] == "ainet"}
    rows = []
    for row in _latency_rows(sections):
        own = row["networks"]["ainet"]
        times = [f"{own['end_to_end_ms'][key]:.3f}" for key in ("p50", "p95", "p99")]
        floor = floors.get(_key(row))
        ratios = [f"{row['ratio'][key]:.3f}" for key in ("end_to_end", "network")]
        rows.append([*_case(row), *times, f"{own['images_per_second']:,.0f}", *ratios, "-" if floor is None else f"{floor:.3f}"])
    head = ["backend", "size", "batch", "p50", "p95", "p99", "photos/s", "/ SCN", "network / SCN", "floor"]
    return f"AINet fp16, photos to labels in host memory, ms\n{aligned(head, rows)}" if rows else ""


def _stages(result: Record, sections: Record) -> str:
    floors = {_key(row): row["stages_ms"] for row in _found(sections, "floor").get("rows", ()) if row["network"] == "ainet"}
    rows, seen = [], set()
    for row in _latency_rows(sections):
        stages = row["networks"]["ainet"]["stages_ms"]
        rows.append([*_case(row), *(f"{stages[stage]['p50']:.4f}" if stage in stages else "-" for stage in STAGES), _captured(row)])
        seen.add(_key(row))
    for key, stages in floors.items():
        if key in seen:
            rows.append(["floor", f"{key[1]}x{key[0]}", str(key[2]), *(f"{stages[stage]:.4f}" for stage in STAGES), ""])
    return f"AINet fp16, stages on the device, ms, p50\n{aligned(['backend', 'size', 'batch', *STAGES, ''], rows)}" if rows else ""


def _parity(result: Record, sections: Record) -> str:
    found = _found(sections, "parity")
    rows = []
    for row in found.get("rows", ()):
        if "error" in row:
            rows.append([row["network"], row["backend"], "failed"])
            continue
        changes = [f"{row['differences'][metric]:+.5f}" if row["differences"] else "-" for metric in ("asa", "br", "bp")]
        verdict = f"out of bounds: {', '.join(row['out_of_bounds'])}" if row["out_of_bounds"] else "passed"
        rows.append([row["network"], row["backend"], f"{row['argmax']:.4%}", *changes, verdict])
    data = f"{found.get('bsds_images')} images of BSDS500 val" if found.get("bsds_images") else f"{found.get('images')} photos"
    head = ["network", "backend", "same cell", "ASA", "BR", "BP", ""]
    return f"fp16 against PyTorch in float32, {data}\n{aligned(head, rows)}" if rows else ""


def _training(result: Record, sections: Record) -> str:
    found = _found(sections, "training")
    rows = []
    for row in found.get("runs", ()):
        speeds = ", ".join(f"{value:.1f} {phase}" for phase, value in row["iterations_per_second"].items())
        parts = ", ".join(f"{part} {share:.0%}" for part, share in row["parts_share"].items())
        hours = f"{row['extrapolated_hours_of_the_recipe']:.1f}"
        rows.append([row["mode"], speeds, parts, hours])
    if not rows:
        return ""
    title = f"training, recipe {found['recipe']['name']}, batch {found['recipe']['batch_size']}, {found['data']}"
    return f"{title}\n{aligned(['', 'iterations/s', 'parts, each alone', 'hours of the recipe (extrapolated)'], rows)}"


BLOCKS: Sequence[Callable[[Record, Record], str]] = (_stages, _latency, _rates, _parity, _training, _overview)  # a terminal shows the end


def aligned(head: Cells, rows: Sequence[Cells]) -> str:
    """Columns of equal width; a row may be short."""
    widths = [max(len(row[column]) for row in (head, *rows) if column < len(row)) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in (head, *rows)]
    return "\n".join(lines)


def _found(sections: Record, name: str) -> Record:
    found: Record = sections.get(name, {}).get("result", {})
    return found


def _latency_rows(sections: Record) -> Iterator[Record]:
    for name in LATENCIES:
        yield from (row for row in _found(sections, name).get("rows", ()) if "error" not in row)


def _key(row: Record) -> tuple[int, int, int]:
    return row["height"], row["width"], row["batch"]


def _case(row: Record) -> Cells:
    return [row["backend"], f"{row['width']}x{row['height']}", str(row["batch"])]


def _captured(row: Record) -> str:
    return "graph" if row["captured"] else "launched one by one"
