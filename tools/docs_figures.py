"""Write the figures of README.md and docs/ from benchmarks/results/*.json, between the markers `<!-- NAME -->` and `<!-- end -->`.

python tools/docs_figures.py           # rewrite
python tools/docs_figures.py --check   # fail if a page differs from the results
"""

import hashlib
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures import accuracy, gpu, int8, learning, places, regions, robustness, speed
from figures.results import RESULTS, ROOT, accuracies, load

PLOTS = {  # of docs/: which plot of a report it is, and of which results
    "accuracy.svg": ("fig4-asa", ("accuracy_*",)),
    "boundaries.svg": ("fig4-br-bp", ("accuracy_*",)),
    "regions.svg": ("regions-asa", ("accuracy_*", "regions")),
    "region-boundaries.svg": ("regions-br-bp", ("accuracy_*", "regions")),
    "proposals.svg": ("proposals0", ("proposals",)),
    "learning.svg": ("learning", ("learning_curve",)),
}


def plot() -> None:
    """The plots, each signed with a hash of itself and of the results that it was drawn from."""
    from ainet.benchmarks.report.plots import draw_all
    from ainet.benchmarks.report.results import load_results

    for file, (name, sources) in made_plots().items():
        if name == "learning":
            drawn = [learning.plot(load("learning_curve"))]
        else:
            drawn = draw_all(load_results([path for source in sources for path in sorted(RESULTS.glob(f"{source}.json"))]))
        (curves,) = [one.picture("svg").decode() for one in drawn if one.name == name]
        (ROOT / "docs" / file).write_text(curves + signature(curves, drawn_from(sources)))


def is_there(source: str) -> bool:
    """Whether a result has been made."""
    return any(RESULTS.glob(f"{source}.json"))


def made_plots() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Those of `PLOTS` whose results are there."""
    return {file: (name, sources) for file, (name, sources) in PLOTS.items() if all(map(is_there, sources))}


def drawn_from(sources: tuple[str, ...]) -> Any:
    """What a plot's signature is of: the accuracies alone, or all its results by name."""
    return accuracies() if sources == ("accuracy_*",) else {source: load(source) for source in sources}


def signature(curves: str, results: Any) -> str:
    return f"<!-- {hashlib.sha256((curves + json.dumps(results, sort_keys=True)).encode()).hexdigest()} -->\n"


def is_signed(path: Path, results: Any) -> bool:
    text = path.read_text()
    curves = text.rpartition("<!-- ")[0]
    return text == curves + signature(curves, results)


# By page: the blocks, each with its result (of a file, or the accuracies of all methods) and what makes the block of it.
PAGES: dict[str, dict[str, tuple[str, Callable[[Any], str]]]] = {
    "README.md": {"models": ("accuracy_*", accuracy.models)},
    "docs/accuracy.md": {
        "accuracy": ("accuracy_*", accuracy.accuracy),
        "scales": ("accuracy_*", accuracy.scales),
        "even_shapes": ("even_shapes", accuracy.even_shapes),
    },
    "docs/regions.md": {
        "regions": ("regions", regions.regions),
        "region_boundaries": ("regions", regions.region_boundaries),
        "region_figures": ("regions*", regions.region_figures),
        "proposals": ("proposals", regions.proposals),
    },
    "docs/browser.md": {"page": ("page", places.page)},
    "docs/serving.md": {"serving": ("serving", places.serving)},
    "docs/export.md": {"parity": ("parity", accuracy.parity)},
    "docs/latency.md": {
        "latency_table": ("speed_table", speed.latency_table),
        "throughput": ("throughput", speed.throughput),
        "latency": ("latency_cpu", speed.latency),
        "latency_large": ("latency_cpu_large", speed.latency_large),
        "startup": ("startup", speed.startup),
        "network_cost": ("network_cost", speed.network_cost),
        "postprocessing": ("postprocessing", speed.postprocessing),
    },
    "docs/gpu-check.md": {block.__name__: ("gpu_h200", block) for block in (gpu.gpu_latency, gpu.gpu_kernels, gpu.gpu_parity)},
    "docs/training.md": {
        "ablation": ("ablation", accuracy.ablation),
        "learning": ("learning_curve", learning.learning),
        "training_speed": ("training_speed", speed.training_speed),
    },
    "ainet/weights/README.md": {"conventions": ("accuracy_*", accuracy.conventions)},
    "docs/robustness.md": {
        block.__name__: ("robustness", block) for block in (robustness.damaged_files, robustness.killed_commands, robustness.threads_on_one)
    },
    "docs/int8.md": {
        **{block.__name__: ("int8", block) for block in (int8.int8_accuracy, int8.int8_speed, int8.int8_sensitivity)},
        "int8_accuracy_lite": ("int8_lite", int8.int8_accuracy),
        "int8_accuracy_scn": ("int8_scn", int8.int8_accuracy),
    },
}


def main() -> int:
    different = []
    for page, blocks in PAGES.items():
        path = ROOT / page
        text = path.read_text()
        for name, (source, render) in blocks.items():
            content = f"{render(load(source))}\n" if is_there(source) else ""
            block = f"<!-- {name} -->\n{content}<!-- end -->"
            text, count = re.subn(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _, block=block: block, text, flags=re.DOTALL)
            assert count == 1, f"{page} has {count} places for {name}"
        if "--check" not in sys.argv:
            path.write_text(text)
        elif text != path.read_text():
            different.append(page)
    if "--check" not in sys.argv:
        plot()
    else:
        different += [file for file, (_, sources) in made_plots().items() if not is_signed(ROOT / "docs" / file, drawn_from(sources))]
    if different:
        print(f"{' and '.join(different)} differ from benchmarks/results: run python tools/docs_figures.py")
    return len(different)


if __name__ == "__main__":
    sys.exit(main())
