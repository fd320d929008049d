"""`ainet ablate`: from a recipe to the figures of every variant, and what it says where it cannot run."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from support.blocks import write_bsds
from support.command_line import Run

import ainet.benchmarks.report  # noqa: F401  # whole, before a test takes it away
from ainet.benchmarks.accuracy import ablation
from ainet.benchmarks.accuracy.protocol import BSDS
from ainet.training.trainer import STATE

RECIPE = 'iterations = 1\nbatch_size = 2\ncrop = 32\nlr = 1e-3\nboundary = "paper"\njitter = "paper"'


@pytest.fixture
def data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`bsds`, whose images of val are those of train, too, and a recipe; two variants and one scale."""
    write_bsds(Path("bsds"), monkeypatch)
    for kind in ("images", "groundTruth"):
        Path("bsds", kind, "train").symlink_to("val")
    Path("tiny.toml").write_text(RECIPE)
    monkeypatch.setattr(ablation, "VARIANTS", {name: ablation.VARIANTS[name] for name in ("baseline", "AI+BPL+PJ")})
    monkeypatch.setattr(ablation, "run_ablation", partial(ablation.run_ablation, protocol=replace(BSDS, scales=(1.0,))))
    return folder


def test_a_stopped_ablation_goes_on_to_the_figures(run: Run, data: Path) -> None:
    command = ("ablate", "--bsds", "bsds", "--recipe", "tiny.toml", "-o", "out", "--device", "cpu")
    result = run(*command, "--budget", "0.001s")
    assert (result.code, result.errors) == (0, [])
    assert result.lines[0].startswith("baseline: 1/1, loss ")
    assert result.lines[1:] == ["baseline: 1/2 images measured", "stopped; run the same command to go on"]
    assert Path("out/baseline", STATE).is_file() and not Path("out/ablation.json").exists()

    result = run(*command)
    assert (result.code, result.errors, result.lines[-1]) == (0, [], "finished")
    content = json.loads(Path("out/ablation.json").read_text())
    assert {name: about["network"] for name, about in content["training"].items()} == {"baseline": "scn", "AI+BPL+PJ": "ainet"}
    first = result.lines.index("means of the scales that ask for 384 to 1200 superpixels:") + 1
    for line, (name, figures) in zip(result.lines[first:-1], content["figures"].items(), strict=True):
        values = [f"{figures['scales'][key]:.4f}" for key in ("asa", "rec", "pre", "co")]
        assert line.split() == [name, *(part for pair in zip(("ASA", "BR", "BP", "CO"), values, strict=True) for part in pair)]
        assert 0 < figures["scales"]["asa"] < 1


def test_a_recipe_without_the_parts_is_one_line(run: Run, data: Path) -> None:
    Path("tiny.toml").write_text(RECIPE.replace("paper", "off"))
    result = run("ablate", "--bsds", "bsds", "--recipe", "tiny.toml", "-o", "out", "--device", "cpu")
    message = "error: recipe 'tiny' has boundary or jitter 'off'; an ablation leaves them out itself, so turn both on"
    assert (result.code, result.lines, result.errors) == (2, [], [message])
    assert not Path("out").exists()


def test_what_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("ainet.benchmarks.report")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run("ablate", "--bsds", "bsds", "-o", "out")
    message = "error: an ablation needs the package matplotlib: pip install 'ainet-toolkit[train,bench]'"
    assert (result.code, result.lines, result.errors) == (1, [], [message])
