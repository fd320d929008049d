"""Results of single methods become one, and what is there is not made again."""

import json
from pathlib import Path
from types import ModuleType

import pytest
from support.paths import ROOT
from support.scripts import load_script


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return load_script(ROOT / "tools/region_results.py")


def test_parts_are_joined_in_their_order(tool: ModuleType, tmp_path: Path) -> None:
    parts = []
    for name in ("ainet", "slic"):
        part = {"images": 2, "methods": {name: {"kind": 1}}, "rows": [{"method": name, "count": 20}], "figures": [{"method": name}]}
        parts.append(tmp_path / f"{name}.json")
        parts[-1].write_text(json.dumps(part))
    tool.join(parts, tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text()) == {
        "images": 2,
        "methods": {"ainet": {"kind": 1}, "slic": {"kind": 1}},
        "rows": [{"method": "ainet", "count": 20}, {"method": "slic", "count": 20}],
        "figures": [{"method": "ainet"}, {"method": "slic"}],
    }


def test_one_part_stays_as_it_is(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "part.json").write_text(json.dumps({"rows": [{"asa": 0.9}], "split": "val"}))
    tool.join([tmp_path / "part.json"], tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text()) == {"rows": [{"asa": 0.9}], "split": "val"}


def test_what_is_there_is_not_made_again(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("as it was")
    tool.make(tmp_path / "there.json", "no-such-command")
    assert (tmp_path / "there.json").read_text() == "as it was"
