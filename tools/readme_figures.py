"""Write the figures of README.md from benchmarks/results/*.json, between the markers `<!-- NAME -->` and `<!-- end -->`.

python tools/readme_figures.py           # rewrite
python tools/readme_figures.py --check   # fail if README.md differs from the results
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


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


def parity(result: dict[str, Any]) -> str:
    metrics = {"asa": "ΔASA", "br": "ΔBR", "bp": "ΔBP", "co": "ΔCO"}
    rows = [
        [row["precision"], row["device"], f"{row['argmax']:.3%}", "-" if row["q"] is None else f"{row['q']:.1g}", str(row["nan"])]
        + [f"{row['differences'][name]:+.5f}" for name in metrics]
        + ["failed" if row["failures"] else "passed"]
        for row in result["rows"]
    ]
    for precision, bounds in result["bounds"].items():
        q = "-" if bounds["q"] is None else f"≤ {bounds['q']:g}"
        limits = [f"≥ {bounds['argmax']:.2%}", q, "0", *(f"± {bounds[name]:g}" for name in metrics)]
        rows.append([f"*{precision}*", "*bounds*", *limits, ""])
    note = f"{result['bsds_images']} images of BSDS500 val, {result['superpixels']} superpixels; `{result['network']}`, bundled weights."
    return table(["precision", "device", "same cell", "largest error of Q", "NaN", *metrics.values(), ""], rows) + "\n\n" + note


def main() -> int:
    readme = ROOT / "README.md"
    text = readme.read_text()
    for name, render in {"network_cost": network_cost, "postprocessing": postprocessing, "val": val, "parity": parity}.items():
        result = json.loads((ROOT / "benchmarks/results" / f"{name}.json").read_text())
        block = f"<!-- {name} -->\n{render(result)}\n<!-- end -->"
        text, count = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
        assert count == 1, f"README.md has {count} places for {name}"
    if "--check" in sys.argv:
        if text != readme.read_text():
            print("README.md differs from benchmarks/results: run python tools/readme_figures.py")
            return 1
        return 0
    readme.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
