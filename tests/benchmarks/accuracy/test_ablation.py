"""The ablation: what each variant trains, that a stopped one goes on, and that a report can be made from its file."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ainet.benchmarks.accuracy.ablation import RESULT, VARIANTS, run_ablation
from ainet.benchmarks.accuracy.protocol import BSDS
from ainet.benchmarks.report import write_report
from ainet.errors import UsageError
from ainet.training.checkpoint import load_checkpoint
from ainet.training.recipe import Recipe
from ainet.training.run_state import WEIGHTS
from ainet.training.state import STATE

pytestmark = pytest.mark.slow

RECIPE = Recipe("tiny", iterations=1, batch_size=2, lr=1e-3, crop=32, boundary="paper", jitter="paper")


@pytest.fixture
def data(bsds: Path) -> Path:
    """The images of val are those of train, too."""
    for kind in ("images", "groundTruth"):
        (bsds / kind / "train").symlink_to(bsds / kind / "val")
    return bsds


def run(data: Path, out: Path, **options: Any) -> dict[str, Any]:
    return run_ablation(RECIPE, data, out, device="cpu", protocol=replace(BSDS, scales=(0.3,)), **options)


def test_the_variants_are_those_of_the_paper() -> None:
    with_module = [name for name, (network, _, _) in VARIANTS.items() if network == "ainet"]
    assert with_module == [name for name in VARIANTS if "AI" in name.split("+")]
    assert [name for name, (_, boundary, _) in VARIANTS.items() if boundary] == ["BPL", "AI+BPL", "BPL+PJ", "AI+BPL+PJ", "PNbor", "CPix"]
    assert [name for name, (_, _, jitter) in VARIANTS.items() if jitter] == ["PJ", "AI+PJ", "BPL+PJ", "AI+BPL+PJ", "PNbor", "CPix"]


def test_every_variant_is_trained_and_evaluated_once(data: Path, tmp_path: Path) -> None:
    out, variants = tmp_path / "out", {name: VARIANTS[name] for name in ("baseline", "AI+BPL", "CPix")}
    result = run(data, out, variants=variants)
    about = result["training"]
    assert list(about) == list(result["variants"]) == list(variants)
    assert [values["network"] for values in about.values()] == ["scn", "ainet", "ainet-cpix"]
    assert [(values["boundary"], values["jitter"]) for values in about.values()] == [("off", "off"), ("paper", "off"), ("paper", "paper")]
    for name, values in about.items():
        checkpoint = load_checkpoint(out / name / WEIGHTS)
        assert (checkpoint.sha256, checkpoint.name) == (values["checkpoint_sha256"], values["network"])
        assert values["seconds"] > 0
        (entry,) = result["variants"][name]
        assert entry["n_segments"] == 54
        accuracy = json.loads((out / name / "accuracy_checkpoint.json").read_text())
        assert accuracy["parameters"]["checkpoint_sha256"] == checkpoint.sha256
        assert accuracy["scales"] == [entry]
    content = json.loads((out / RESULT).read_text())
    assert (content["variants"], content["figures"]) == (result["variants"], result["figures"])
    assert content["recipe"]["iterations"] == 1
    assert result["complete"]

    write_report([out], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert 'id="fig6-0"' in page and all(f"<td>{name}</td>" in page for name in variants)

    states = {name: (out / name / "checkpoint/rows/11.jsonl").stat().st_mtime_ns for name in variants}
    assert run(data, out, variants=variants) == result  # nothing is trained or evaluated again
    assert states == {name: (out / name / "checkpoint/rows/11.jsonl").stat().st_mtime_ns for name in variants}


def test_a_stopped_ablation_goes_on(data: Path, tmp_path: Path) -> None:
    two = {name: VARIANTS[name] for name in ("baseline", "PJ")}
    assert run(data, tmp_path, budget=0, variants=two)["variants"] == {}
    assert (tmp_path / "baseline" / STATE).is_file() and not (tmp_path / "PJ").exists()
    assert run(data, tmp_path, budget=0, variants=two)["variants"] == {}  # evaluates one image of two
    assert (tmp_path / "baseline/checkpoint/rows/11.jsonl").is_file() != (tmp_path / "baseline/checkpoint/rows/12.jsonl").is_file()
    weights = (tmp_path / "baseline" / WEIGHTS).read_bytes()
    assert list(run(data, tmp_path, variants=two)["variants"]) == ["baseline", "PJ"]
    assert (tmp_path / "baseline" / WEIGHTS).read_bytes() == weights


def test_a_recipe_without_the_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'tiny'"):
        run_ablation(Recipe("tiny", iterations=1, batch_size=1, lr=1e-3), tmp_path, tmp_path)
