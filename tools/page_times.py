"""Times of the page in Chromium: to the first result, of a photo, of another count; its size, and how far its labels are from Python's.

    PYTHONPATH=tests python tools/page_times.py -o benchmarks/results/page.json

With several threads and with one, each in a browser of its own with an empty profile; the models take turns.
"""

import argparse
import contextlib
import os
import re
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from support.browser import browser
from support.page import FINEST, READY, build_page, open_photo, page_bytes, save_labels, serving, serving_plainly, set_count
from support.paths import PHOTOS, ROOT

import ainet
from ainet.benchmarks.result import write_result

MODELS = ("ainet-lite", "ainet-lite-int8", "ainet")  # the page's first
NAMES = ("chelsea", "astronaut", "coffee")
COUNTS = (20, 100, 300, 600)
CUT = """
new Promise((resolve) => {
  const start = performance.now();
  new MutationObserver(() => resolve(performance.now() - start)).observe(document.querySelector("canvas"), { attributes: true });
  document.querySelector("#count").value = COUNT;
  document.querySelector("#count").dispatchEvent(new Event("change"));
})
"""


def visit(folder: Path, with_threads: bool) -> dict[str, list[float]]:
    """One visit: seconds to the first result, of each further photo, and of other counts."""
    server = serving(ROOT / "web/serve.py", folder, "--port", 0) if with_threads else serving_plainly(folder)
    with tempfile.TemporaryDirectory() as scratch, server as url, browser(Path(scratch, "browser")) as page:
        start = time.perf_counter()
        page.open(url)
        page.wait_for(READY)
        first = time.perf_counter() - start
        said = [open_photo(page, PHOTOS / f"{name}.jpg") for name in NAMES]
        cuts = [page.evaluate(CUT.replace("COUNT", str(count))) / 1000 for count in (*COUNTS, *reversed(COUNTS[:-1]))]
        photos = [float(re.findall(r"in ([0-9.]+) s", text)[0]) for text in said]
    return {"first": [first], "photo": photos, "cut": cuts}


def differing(folder: Path) -> dict[str, float]:
    """Of each photo, the share of labels that are not those of Python with the page's model, at the count with the largest share."""
    shares = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        serving(ROOT / "web/serve.py", folder, "--port", 0) as url,
        browser(Path(scratch, "browser")) as page,
        ainet.Segmenter.load(folder / "model.onnx", device="cpu") as segmenter,
    ):
        page.open(url)
        page.wait_for(READY)
        for name in NAMES:
            file = PHOTOS / f"{name}.jpg"
            tree = segmenter.hierarchy(ainet.read_image(file), FINEST)
            open_photo(page, file)
            shares[name] = 0.0
            for count in COUNTS:
                set_count(page, count)
                labels = save_labels(page, tree.labels.shape)
                shares[name] = max(shares[name], float((labels != tree.cut(count)).mean()))
    return shares


def measure(folders: dict[str, Path], rounds: int) -> list[dict[str, Any]]:
    visits = [(model, threads) for model in folders for threads in (True, False)]
    times: dict[tuple[str, bool], list[dict[str, list[float]]]] = {each: [] for each in visits}
    for _ in range(rounds):
        for model, threads in visits:
            times[model, threads].append(visit(folders[model], threads))
    rows = []
    for (model, threads), visited in times.items():
        seconds = {key: statistics.median(value for one in visited for value in one[key]) for key in ("first", "photo", "cut")}
        rows.append({"model": model, "threads": threads, **{key: round(value, 4) for key, value in seconds.items()}})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(ROOT):
        folders = {model: Path(scratch, model) for model in MODELS}
        build_page(ROOT / "build/web")
        for model, folder in folders.items():
            shutil.copytree(ROOT / "build/web", folder)
            build_page(folder, "--model", ROOT / f"ainet/weights/{model}.onnx")
        sizes = {model: {engine: page_bytes(folder, engine) for engine in ("CPU", "GPU")} for model, folder in folders.items()}
        result = {"rounds": arguments.rounds, "compressed_bytes": sizes, "differing": differing(folders[MODELS[0]])}
        rows = measure(folders, arguments.rounds)
        write_result(arguments.out, "page", {**result, "rows": rows, "load": round(os.getloadavg()[1], 1)})


if __name__ == "__main__":
    main()
