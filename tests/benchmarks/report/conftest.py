"""Results of every kind that a report shows, of two images and methods that need no network."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.blocks import install_blocks, write_bsds

from ainet.benchmarks.accuracy.protocol import BSDS
from ainet.benchmarks.accuracy.regions import run_regions
from ainet.benchmarks.accuracy.run import run_accuracy
from ainet.benchmarks.result import write_result
from ainet.files import write_json
from ainet.labels import write_labels
from ainet.training.datasets import bsds500

SCALES = (0.5, 1.0, 1.6)


@pytest.fixture(scope="module")
def bsds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        yield write_bsds(tmp_path_factory.mktemp("data") / "bsds", patch)


@pytest.fixture(scope="module")
def run(bsds: Path) -> Path:
    """The folder of an accuracy run of two methods, and of one that is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        install_blocks(patch)
        run_accuracy(["blocks", "other", "absent"], bsds, "val", bsds.parent / "run", protocol=replace(BSDS, scales=SCALES))
    return bsds.parent / "run"


@pytest.fixture(scope="module")
def latency(tmp_path_factory: pytest.TempPathFactory) -> Path:
    def row(method: str, height: int, count: int, seconds: float) -> dict[str, Any]:
        times = {"median": seconds, "p95": 1.1 * seconds}
        stages = {"network": 0.75 * seconds, "connectivity": 0.25 * seconds}
        place = {"method": method, "height": height, "width": 481, "n_segments": count, "superpixels": count + 1, "repeats": 5}
        return {**place, "seconds": times, "stages": stages, "ratio": {"scn": seconds / 0.05}}

    memory = {"method": "ainet", "height": 321, "width": 481, "n_segments": 96, "peak_mib": 200.5, "loaded_mib": 100.0, "gpu_mib": None}
    result = {
        "benchmark": "latency",
        "settings": {"device": "cpu", "threads": 2},
        "methods": {"ainet": {"parameters": {}, "trained": True}, "scn": {"parameters": {}, "trained": False}},
        "counts": [row("scn", 321, 96, 0.05), row("scn", 321, 600, 0.09), row("ainet", 321, 96, 0.06), row("ainet", 321, 600, 0.1)],
        "sizes": [row("scn", 480, 900, 0.2), row("scn", 960, 1800, 0.4)],
        "growth": {"scn": {"exponent": 1.0, "points": 2}},
        "memory": [memory],
        "left_out": [{"method": "ainet", "height": 480, "width": 481, "n_segments": 900, "reason": "too <slow>"}],
        "skipped": {},
        "versions": {"numpy": "2"},
        "machine": {"processor": "a test's"},
    }
    path = tmp_path_factory.mktemp("latency") / "latency_cpu.json"
    write_json(path, result)
    return path


@pytest.fixture(scope="module")
def regions(bsds: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("regions") / "regions.json"
    with pytest.MonkeyPatch.context() as patch:
        install_blocks(patch)
        write_result(path, "regions", {"split": "val", **run_regions(["blocks"], bsds500(bsds, "val"), counts=[50, 100])})
    return path


@pytest.fixture(scope="module")
def proposals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two methods, and the kept regions of one image."""
    path = tmp_path_factory.mktemp("proposals") / "proposals.json"
    costs = [("ainet", "plain"), ("ainet", "image"), ("ainet", "network"), ("slic", "image"), ("slic", "del")]
    rows = [{"method": method, "cost": cost, "regions": n, "asa": 0.8 + n / 1000} for method, cost in costs for n in (5, 20)]
    write_json(path, {"benchmark": "proposals", "split": "val", "images": 2, "rows": rows, "methods": {}, "skipped": {}, "start": 600})
    folder = path.with_suffix("") / "11"
    folder.mkdir(parents=True)
    for name in ("slic-del", "ainet-lite-plain"):
        write_labels(folder / f"{name}.png", np.zeros((321, 481), np.int32))
    return path
