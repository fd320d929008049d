"""`ainet bench`: what it writes and says, and every bad input as one line."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support.blocks import Blocks, install_blocks, write_bsds
from support.command_line import Run, tree
from support.paths import PHOTOS

from ainet.benchmarks.accuracy import protocol

ABSENT = "skipped: method 'absent' needs the package absent: pip install absent"


@pytest.fixture
def methods(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Blocks]:
    """Fake methods, and `bsds` in the working folder."""
    write_bsds(folder / "bsds", monkeypatch)
    return install_blocks(monkeypatch)


def test_from_measuring_to_the_report(run: Run, methods: dict[str, Blocks], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BSDS", replace(protocol.BSDS, scales=(0.5, 1.0, 1.6)))
    measure = ("bench", "accuracy", "--bsds", "bsds", "--method", "blocks", "--method", "absent", "-o", "val")
    result = run(*measure)
    assert (result.code, result.lines, result.errors) == (0, ["val/accuracy_blocks.json"], [ABSENT])
    names = ["accuracy_blocks.csv", "accuracy_blocks.json", "blocks/run.json"]
    kept = [f"blocks/{kind}" for kind in ("labels/1/11.csv", "labels/1/12.csv", "rows/11.jsonl", "rows/12.jsonl")]
    assert tree("val") == sorted([*names, *kept])
    figures = json.loads(Path("val/accuracy_blocks.json").read_text())
    assert [entry["n_segments"] for entry in figures["scales"]] == [150, 600, 1536]
    assert 0 < figures["figures"]["auc"]["asa"] < 1
    assert len(methods["blocks"].calls) == 2 * 3
    assert Path("val/accuracy_blocks.json").stat().st_size < 200_000 * 3 / 15
    assert run(*measure).code == 0
    assert len(methods["blocks"].calls) == 2 * 3  # all was there already

    result = run("bench", "report", "val", "-o", "report.html", "--data", "bsds")
    assert (result.code, result.errors, result.lines) == (0, [], ["report.html"])
    assert "absent: method" in Path("report.html").read_text()


def test_latency(run: Run) -> None:
    cases = ("--counts", "24", "--sizes", "64x48", "--repeats", "3", "--image", PHOTOS / "chelsea.jpg")
    result = run("bench", "latency", "--method", "ainet", *cases, "-o", "times.json")
    assert (result.code, result.lines, result.errors) == (0, ["times.json"], [])
    times = json.loads(Path("times.json").read_text())
    assert len(times["settings"]["image_sha256"]) == 64
    assert tree(".").count("times.partial.json") == 0
    assert [(row["width"], row["height"], row["n_segments"]) for row in times["counts"] + times["sizes"]] == [(481, 321, 24), (64, 48, 12)]
    for row in times["counts"] + times["sizes"]:
        assert set(row["stages"]) == {"network", "assignment", "connectivity"}
        assert 0 < row["seconds"]["median"] <= row["seconds"]["p95"] <= row["seconds"]["p99"]
    assert len(times["memory"]) == 2
    assert run("bench", "report", "times.json", "-o", "report.html").code == 0


BAD = {
    ("latency", "--method", "ainet", "--sizes", "60000x60000", "-o", "x.json"): (1, "an image of 60000x60000 has more than 67 megapixels"),
    ("accuracy", "--method", "blocks", "-o", "out"): (2, "name one data set: --bsds FOLDER or --nyuv2 FOLDER"),
    ("accuracy", "--bsds", "bsds", "--nyuv2", "bsds", "--method", "blocks", "-o", "out"): (2, "name one data set"),
    ("accuracy", "--nyuv2", "bsds", "--method", "blocks", "-o", "out"): (2, "NYUv2 has no split 'val'; choose train, test"),
    ("accuracy", "--nyuv2", "bsds", "--split", "test", "--method", "blocks", "-o", "out"): (2, "no NYUv2 'test' in bsds"),
    ("accuracy", "--bsds", "nowhere", "--method", "blocks", "-o", "out"): (2, "no image of BSDS500 'val' in nowhere"),
    ("accuracy", "--bsds", "bsds", "--split", "all", "--method", "blocks", "-o", "out"): (2, "BSDS500 has no split 'all'"),
    ("accuracy", "--bsds", "bsds", "--method", "absent", "-o", "out"): (1, "no method is left to measure"),
    ("accuracy", "--bsds", "bsds", "--method", "untrained", "-o", "out"): (2, "'untrained' has random weights"),
    ("accuracy", "--bsds", "bsds", "--method", "blocks", "-o", "a.png"): (1, "cannot write a.png"),
    ("latency", "--method", "blocks", "--counts", "x", "-o", "t.json"): (2, "counts 'x' are no numbers"),
    ("latency", "--method", "blocks", "--sizes", "big", "-o", "t.json"): (2, "size 'big' is not one of"),
    ("latency", "--method", "blocks", "--repeats", "1", "-o", "t.json"): (2, "ask for at least 3 repeats"),
    ("latency", "--method", "blocks", "--image", "no.jpg", "-o", "t.json"): (1, "no.jpg"),
    ("report", "nowhere.json", "-o", "report.html"): (2, "no result at nowhere.json"),
    ("report", "bsds", "-o", "report.html"): (2, "bsds holds no result"),
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_input_is_one_line(run: Run, methods: dict[str, Blocks], arguments: tuple[str, ...]) -> None:
    code, message = BAD[arguments]
    before = tree(".")
    result = run("bench", *arguments)
    assert result.code == code
    assert [message in line for line in result.errors if line.startswith("error:")] == [True]
    assert tree(".") == before


def test_an_unknown_method_is_named(run: Run) -> None:
    result = run("bench", "latency", "--method", "snik", "-o", "t.json")
    assert (result.code, result.errors[0][:29]) == (2, "error: unknown method 'snik';")
