"""`ainet bench`: what it writes and says, and every bad input as one line."""

import json
import sys
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


def test_from_label_maps_to_the_report(run: Run, methods: dict[str, Blocks], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "BSDS", replace(protocol.BSDS, scales=(0.5, 1.0, 1.6)))
    command = ("bench", "accuracy", "--bsds", "bsds", "--method", "blocks", "--method", "absent", "-o", "val")
    result = run(*command)
    assert (result.code, result.lines, result.errors) == (0, ["val/accuracy_blocks.json"], [ABSENT])
    names = ["accuracy_blocks.csv", "accuracy_blocks.json", "blocks/run.json"]
    kept = [f"blocks/{kind}" for kind in ("labels/1/11.csv", "labels/1/12.csv", "rows/11.jsonl", "rows/12.jsonl")]
    assert tree("val") == sorted([*names, *kept])
    figures = json.loads(Path("val/accuracy_blocks.json").read_text())
    assert [entry["n_segments"] for entry in figures["scales"]] == [150, 600, 1536]
    assert 0 < figures["figures"]["auc"]["asa"] < 1
    assert len(methods["blocks"].calls) == 2 * 3
    assert run(*command).code == 0
    assert len(methods["blocks"].calls) == 2 * 3  # all was there already

    result = run("bench", "report", "val", "-o", "report.html", "--data", "bsds")
    assert (result.code, result.errors, result.lines) == (0, [], ["report.html"])
    assert "absent: method" in Path("report.html").read_text()


def test_latency(run: Run) -> None:
    cases = ("--counts", "24", "--sizes", "64x48", "--repeats", "3", "--image", PHOTOS / "chelsea.jpg")
    result = run("bench", "latency", "--method", "ainet", *cases, "-o", "times.json")
    assert (result.code, result.errors, result.lines[-1]) == (0, [], "times.json")
    assert [line.split()[:2] for line in result.lines[1:3]] == [["ainet", "481x321"], ["ainet", "64x48"]]
    times = json.loads(Path("times.json").read_text())
    assert len(times["settings"]["image_sha256"]) == 64
    assert [(row["width"], row["height"], row["n_segments"]) for row in times["counts"] + times["sizes"]] == [(481, 321, 24), (64, 48, 12)]
    for row in times["counts"] + times["sizes"]:
        assert set(row["stages"]) == {"network", "assignment", "connectivity"}
        assert 0 < row["seconds"]["median"] <= row["seconds"]["p95"]
    assert len(times["memory"]) == 2
    assert run("bench", "report", "times.json", "-o", "report.html").code == 0


@pytest.mark.slow
def test_lists_are_given_at_once_or_option_by_option(run: Run, methods: dict[str, Blocks]) -> None:
    command = ("bench", "regions", "--method", "blocks", "--bsds", "bsds", "-o", "regions.json")
    rows = []
    for lists in (("--starts", "40,60", "--counts", "10,30"), ("--starts", "40", "--starts", "60", "--counts", "10", "--counts", "30,10")):
        assert run(*command, *lists).code == 0
        rows.append(json.loads(Path("regions.json").read_text())["rows"])
    assert rows[0] == rows[1]
    starts = {row["start"] for row in rows[0] if row["cost"] != "none"}
    assert starts == {40, 60}
    assert {row["count"] for row in rows[0] if row["start"] == 40} == {10, 30}
    sizes = ("--counts", "12", "--counts", "24", "--sizes", "64x48", "--sizes", "48x64", "--repeats", "3")
    assert run("bench", "latency", "--method", "ainet", *sizes, "-o", "times.json").code == 0
    times = json.loads(Path("times.json").read_text())
    assert [row["n_segments"] for row in times["counts"]] == [12, 24]
    assert [(row["width"], row["height"]) for row in times["sizes"]] == [(64, 48), (48, 64)]


@pytest.mark.slow
def test_benchmarks_without_data(run: Run) -> None:
    Path("tiny.toml").write_text("iterations = 9\nbatch_size = 1\ncrop = 32\nlr = 1e-3")
    for command in (("postprocessing", "--repeats", "2"), ("training-speed", "--recipe", "tiny.toml", "--device", "cpu", "--steps", "2")):
        result = run("bench", *command, "-o", "result.json")
        assert (result.code, result.errors, result.lines[-1]) == (0, [], "result.json")
        content = json.loads(Path("result.json").read_text())
        assert content["benchmark"] == command[0]
        assert content["machine"]["cores"] > 0


@pytest.mark.slow
def test_a_stopped_ablation(run: Run, methods: dict[str, Blocks]) -> None:
    for kind in ("images", "groundTruth"):
        Path("bsds", kind, "train").symlink_to("val")
    recipe = 'iterations = 1\nbatch_size = 2\ncrop = 32\nlr = 1e-3\nboundary = "paper"\njitter = "paper"'
    Path("tiny.toml").write_text(recipe)
    command = ("bench", "ablation", "--bsds", "bsds", "--recipe", "tiny.toml", "-o", "out", "--device", "cpu", "--budget", "0.001s")
    result = run(*command)
    assert (result.code, result.errors, result.lines[-1]) == (0, [], "stopped; run the same command to go on")
    assert result.lines[0].startswith("baseline: 1/1, loss ")
    assert Path("out/baseline/weights.safetensors").is_file() and not Path("out/ablation.json").exists()
    Path("tiny.toml").write_text(recipe.replace("paper", "off"))
    result = run(*command)
    assert result.code == 2
    assert "recipe 'tiny'" in result.errors[0]


def test_a_missing_package_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("ainet.benchmarks.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("bench", "report", "x.json", "-o", "report.html")
    assert result.code == 1
    assert "matplotlib" in result.errors[0] and "pip install" in result.errors[0]


BAD = {
    ("latency", "--method", "ainet", "--sizes", "60000x60000", "-o", "x.json"): (1, "60000x60000"),
    ("accuracy", "--method", "blocks", "-o", "out"): (2, "--bsds FOLDER or --nyuv2 FOLDER"),
    ("accuracy", "--bsds", "bsds", "--nyuv2", "bsds", "--method", "blocks", "-o", "out"): (2, "--bsds FOLDER or --nyuv2 FOLDER"),
    ("accuracy", "--nyuv2", "bsds", "--method", "blocks", "-o", "out"): (2, "'val'"),
    ("accuracy", "--nyuv2", "bsds", "--split", "test", "--method", "blocks", "-o", "out"): (2, "bsds"),
    ("accuracy", "--bsds", "nowhere", "--method", "blocks", "-o", "out"): (2, "nowhere"),
    ("accuracy", "--bsds", "bsds", "--split", "all", "--method", "blocks", "-o", "out"): (2, "'all'"),
    ("accuracy", "--bsds", "bsds", "--method", "absent", "-o", "out"): (1, "pip install absent"),
    ("accuracy", "--bsds", "bsds", "--method", "untrained", "-o", "out"): (2, "'untrained'"),
    ("accuracy", "--bsds", "bsds", "--method", "blocks", "-o", "a.png"): (1, "a.png"),
    ("latency", "--method", "blocks", "--counts", "x", "-o", "t.json"): (2, "'x'"),
    ("latency", "--method", "blocks", "--sizes", "big", "-o", "t.json"): (2, "'big'"),
    ("latency", "--method", "blocks", "--repeats", "1", "-o", "t.json"): (2, "repeats=1"),
    ("latency", "--method", "blocks", "--image", "no.jpg", "-o", "t.json"): (1, "no.jpg"),
    ("regions", "--method", "blocks", "--bsds", "bsds", "--starts", "40", "--starts", "x", "-o", "t.json"): (2, "'40,x'"),
    ("regions", "--method", "blocks", "--bsds", "bsds", "--counts", "0", "-o", "t.json"): (2, "start at 1"),
    ("network-cost", "--size", "33x32", "-o", "t.json"): (2, "32x33"),
    ("network-cost", "-o", "bsds"): (1, "bsds: it is a folder"),
    ("startup", "no.jpg", "--repeats", "1", "-o", "t.json"): (1, "no.jpg"),
    ("sweep", "snik", "--bsds", "bsds", "-o", "t.json"): (2, "'snik'"),
    ("training-speed", "--recipe", "no.toml", "-o", "t.json"): (2, "no.toml"),
    ("proposals", "--method", "absent", "--bsds", "bsds", "-o", "t.json"): (1, "pip install absent"),
    ("report", "nowhere.json", "-o", "report.html"): (2, "nowhere.json"),
    ("report", "bsds", "-o", "report.html"): (2, "bsds"),
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
