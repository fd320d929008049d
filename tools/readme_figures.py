"""Write the figures of README.md from benchmarks/results/*.json, between the markers `<!-- NAME -->` and `<!-- end -->`.

python tools/readme_figures.py           # rewrite
python tools/readme_figures.py --check   # fail if README.md, or the plot docs/accuracy.svg where it is there, differs from the results
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
PLOT = ROOT / "docs/accuracy.svg"  # drawn by tools/readme_plot.py
METHODS = ("ainet", "scn", "ssn", "seal", "ers", "slic", "slic-cv", "slico", "lsc", "seeds", "snic")


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def network_cost(result: dict[str, Any]) -> str:
    machine = result["machine"]
    rows = [
        [f"`{row['network']}`", f"{row['multiply_adds'] / 1e6:,.0f} M", f"{row['multiply_adds_ratio']:.2f}", f"{row['time_ratio']:.2f}"]
        for row in result["rows"]
    ]
    note = f"ONNX Runtime {machine['onnxruntime']}, {machine['threads']} CPU threads, {machine['size']} working pixels, one run for all."
    return table(["network", "multiply-adds", "/ SCN", "time / SCN"], rows) + "\n\n" + note


def postprocessing(result: dict[str, Any]) -> str:
    times = result["median_ms"]
    peer = times["connectivity, scikit-image"]
    rows = [[task, f"{ms:.2f}", f"{peer / ms:.1f}" if task == "connectivity" else ""] for task, ms in times.items()]
    note = "321x481 pixels, 600 superpixels, one core; the ratio is of scikit-image's connectivity to ours, in the same run."
    return table(["task", "median ms", "ratio"], rows) + "\n\n" + note


def val(result: dict[str, Any]) -> str:
    means = result["means"]["row_mean"]["all_gts"]
    names = {"sp": "superpixels", "asa": "ASA", "rec": "BR", "pre": "BP", "ue_np": "UE (Neubert)", "co": "CO", "ev": "EV"}
    values = [f"{means[key]:.0f}" if key == "sp" else f"{means[key]:.4f}" for key in names]
    note = f"{result['pairs']['all_gts']} pairs of {result['images']} images."
    return table(["network", *names.values()], [["`ainet`, interim", *values]]) + "\n\n" + note


def accuracy(results: list[dict[str, Any]]) -> str:
    """Of `ainet bench accuracy`, all methods: at scale 1, and over a range of actual counts."""
    names = {"sp": "superpixels", "asa": "ASA", "rec": "BR", "pre": "BP", "ue_np": "UE (Neubert)", "co": "CO"}
    rows = []
    for result in results:
        means = next(entry["means"]["row_mean"]["all_gts"] for entry in result["scales"] if entry["scale"] == 1)
        values = [f"{means[key]:.0f}" if key == "sp" else f"{means[key]:.4f}" for key in names]
        figures = result["figures"]
        over = [figures["auc"]["asa"], figures["scales"]["asa"], figures["br_bp"]["mean"]]
        rows.append([f"`{result['method']}`", *values, *("" if value is None else f"{value:.4f}" for value in over)])
    (low, high), (least, most) = results[0]["figures"]["range"], results[0]["figures"]["br_bp"]["range"]
    data, pairs = results[0]["data"], results[0]["scales"][0]["pairs"]["all_gts"]
    head = ["method", *names.values(), f"ASA, {low}-{high} actual", f"ASA, scales {low}-{high}", f"BP at BR {least}-{most}"]
    note = f"BSDS500 {data['split']}, {data['images']} images, means over {pairs} pairs; asked for 600 superpixels, and over a range."
    return table(head, rows) + "\n\n" + note


def latency(result: dict[str, Any]) -> str:
    """Of `ainet bench latency`: all methods at 600 superpixels and 481x321 pixels."""
    rows = []
    for row in (row for row in result["counts"] if row["n_segments"] == 600):
        ratios = [f"{row['ratio'][peer]:.2f}" if peer in row["ratio"] else "" for peer in ("scn", "ssn")]
        rows.append([f"`{row['method']}`", *(f"{1e3 * row['seconds'][name]:.1f}" for name in ("median", "p95")), *ratios])
    settings, machine = result["settings"], result["machine"]
    conditions = f"{settings['device']}, CPU threads: {settings['threads']}, {machine['processor']}"
    note = f"481x321 pixels, 600 superpixels asked for, {conditions}, one run for all."
    return table(["method", "median ms", "p95 ms", "/ SCN", "/ SSN"], rows) + "\n\n" + note


def accuracy_results() -> list[Path]:
    """The files of all methods, ours first."""

    def place(path: Path) -> int:
        base = path.stem.removeprefix("accuracy_").partition("@")[0]
        return METHODS.index(base) if base in METHODS else len(METHODS)

    return sorted(RESULTS.glob("accuracy_*.json"), key=lambda path: (place(path), path.name))


def stamp() -> str:
    """What the plot ends with: the results that it is of."""
    total = hashlib.sha256()
    for path in accuracy_results():
        total.update(path.read_bytes())
    return f"<!-- results {total.hexdigest()} -->\n"


def blocks(text: str) -> dict[str, str]:
    """The blocks of README.md by name; those of the peers once README.md has a place for them."""
    made = {"network_cost": network_cost, "postprocessing": postprocessing, "val": val, "latency": latency}
    files = {name: RESULTS / f"{name}.json" for name in made} | {"latency": RESULTS / "latency_cpu.json"}
    optional = {name: f"<!-- {name} -->" in text for name in ("accuracy", "latency")}
    found = {name: render(json.loads(files[name].read_text())) for name, render in made.items() if optional.get(name, True)}
    if optional["accuracy"]:
        found["accuracy"] = accuracy([json.loads(path.read_text()) for path in accuracy_results()])
    return found


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    for name, content in blocks(text).items():
        block = f"<!-- {name} -->\n{content}\n<!-- end -->"
        text, count = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        assert count == 1, f"README.md has {count} places for {name}"
    if "--check" in sys.argv:
        if text != readme.read_text():
            print("README.md differs from benchmarks/results: run python tools/readme_figures.py")
            return 1
        if PLOT.is_file() and not PLOT.read_text().endswith(stamp()):
            print("docs/accuracy.svg differs from benchmarks/results: run python tools/readme_plot.py")
            return 1
        return 0
    readme.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
