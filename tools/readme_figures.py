"""Write the figures of README.md and docs/ from benchmarks/results/*.json, between the markers `<!-- NAME -->` and `<!-- end -->`.

python tools/readme_figures.py           # rewrite
python tools/readme_figures.py --check   # fail if a page differs from the results
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
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


def int8_accuracy(result: dict[str, Any]) -> str:
    float_figures = result["accuracy"]["fp32"]
    names = {"min-max": "plain min-max", "all int8": "all layers int8", "int8": "`ainet calibrate`", "int8, OpenVINO": "the same, OpenVINO"}
    rows = [["fp32", *(f"{float_figures[key]:.4f}" for key in ("asa", "br", "bp")), ""]]
    for key, name in names.items():
        figures = result["accuracy"][key]
        rows.append(
            [name, *(f"{figures[metric] - float_figures[metric]:+.5f}" for metric in ("asa", "br", "bp")), f"{figures['equal']:.2%}"]
        )
    kept = result["sensitivity"]["float_layers"]
    note = (
        f"{result['images']} images, {result['calibration_images']} calibration images of BSDS500 train; changes against fp32. "
        f"`ainet calibrate` left {len(kept)} of {result['layers']} layers in float: {', '.join(f'`{name}`' for name in kept) or 'none'}."
    )
    return table(["model", "ASA", "BR", "BP", "best cell equal"], rows) + "\n\n" + note


def int8_speed(result: dict[str, Any]) -> str:
    rows = [[name, f"{figures['ratio']:.2f}"] for name, figures in result["speed"].items()]
    note = (
        f"ONNX Runtime {result['onnxruntime']}, OpenVINO {result['openvino']}, {result['threads']} CPU threads, 320x480, one run for all."
    )
    return table(["engine", "speed / ONNX Runtime fp32"], rows) + "\n\n" + note


def int8_sensitivity(result: dict[str, Any]) -> str:
    sensitivity = result["sensitivity"]
    rows = [
        [f"`{name}`", f"{damage['disagreement']:.2%}", f"{-damage['asa_drop']:+.5f}", f"{-damage['br_drop']:+.5f}"]
        for name, damage in sensitivity["alone"].items()
    ]
    return table(["layer alone in int8", "other best cell", "ASA", "BR"], rows)


def int8_curve(result: dict[str, Any]) -> str:
    rows = [
        [f"{row['images']:.0f}", f"{row['asa_change']:+.5f}", f"{row['br_change']:+.5f}", f"{row['equal']:.2%}"] for row in result["curve"]
    ]
    return table(["calibration images", "ASA", "BR", "best cell equal"], rows)


# By page: the blocks, each with its result file and what makes the block of it.
PAGES: dict[str, dict[str, tuple[str, Callable[[dict[str, Any]], str]]]] = {
    "README.md": {
        "network_cost": ("network_cost", network_cost),
        "postprocessing": ("postprocessing", postprocessing),
        "val": ("val", val),
    },
    "docs/int8.md": {
        "int8_accuracy": ("int8", int8_accuracy),
        "int8_speed": ("int8", int8_speed),
        "int8_sensitivity": ("int8", int8_sensitivity),
        "int8_curve": ("int8", int8_curve),
    },
}


def main() -> int:
    failed = 0
    for page, blocks in PAGES.items():
        path = ROOT / page
        text = path.read_text()
        for name, (source, render) in blocks.items():
            result = json.loads((ROOT / "benchmarks/results" / f"{source}.json").read_text())
            block = f"<!-- {name} -->\n{render(result)}\n<!-- end -->"
            text, count = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
            assert count == 1, f"{page} has {count} places for {name}"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif text != path.read_text():
            print(f"{page} differs from benchmarks/results: run python tools/readme_figures.py")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
