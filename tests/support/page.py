"""The page in the browser, built and served; and label maps from what it saves."""

import contextlib
import functools
import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from support.browser import Browser
from support.paths import ROOT

ENGINES = {
    "CPU": [f"onnxruntime/{name}" for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")],
    "GPU": [f"onnxruntime/{name}" for name in ("ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm")],
}
FINEST = 900  # of web/worker.js
READY = "document.querySelector('.stage').ariaBusy === 'false'"


def build_page(folder: Path, *options: object) -> None:
    """Write the page; options as of web/build.py."""
    subprocess.run([sys.executable, ROOT / "web/build.py", folder, *map(str, options)], check=True, cwd=ROOT, timeout=300)


def page_bytes(folder: Path, engine: str) -> int:
    """What a browser loads of the page, compressed by gzip. engine: "CPU" or "GPU", of ONNX Runtime."""
    files = [file for file in folder.iterdir() if file.is_file()] + [folder / name for name in ENGINES[engine]]
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def serving_plainly(folder: Path) -> Iterator[str]:
    """The address of a file server that sends no headers for threads."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def serving(*command: object) -> Iterator[str]:
    """The address that a server names in its first line, while it runs."""
    process = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
    finally:
        process.terminate()
        process.wait(10)


def open_photo(page: Browser, file: Path) -> str:
    """Choose a file, and wait until the page has segmented or refused it; what it says then."""
    page.evaluate("document.querySelector('.status').textContent = ''")
    page.choose_file("#file", file)
    return page.wait_for(f"{READY} && document.querySelector('.status').textContent")


def save_labels(page: Browser, shape: tuple[int, int]) -> NDArray[np.int32]:
    return labels_of(page.download("document.querySelector('#geojson').click()", ".geojson"), shape)


def set_count(page: Browser, count: int) -> None:
    """Type a number of regions, and wait for the picture."""
    page.evaluate(f"document.querySelector('#count').value = {count}")
    page.evaluate("document.querySelector('#count').dispatchEvent(new Event('change'))")
    page.wait_for(f"document.querySelector('canvas').ariaLabel.includes(' of {count} regions')")


def labels_of(file: Path, shape: tuple[int, int]) -> NDArray[np.int32]:
    """The label map whose regions the polygons of a GeoJSON file outline, each to the right of its rings (y points downwards)."""
    steps = np.zeros((shape[0], shape[1] + 1), np.int64)  # where a ring runs along a pixel's left side: region + 1 begins or ends
    for feature in json.loads(file.read_text())["features"]:
        value = feature["properties"]["region"] + 1
        for ring in feature["geometry"]["coordinates"]:
            points = np.array(ring)
            assert (points[0] == points[-1]).all()
            assert (points == np.round(points)).all()
            for (x, y), (next_x, next_y) in zip(points[:-1].astype(int), points[1:].astype(int), strict=True):
                assert x == next_x or y == next_y
                steps[min(y, next_y) : max(y, next_y), x] += np.sign(y - next_y) * value
    return (np.cumsum(steps, axis=1)[:, :-1] - 1).astype(np.int32)
