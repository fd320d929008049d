"""Sources of a report that do not do."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ainet.benchmarks.report import write_report
from ainet.benchmarks.report.results import load_results
from ainet.errors import UsageError
from ainet.files import write_json


def test_results_that_do_not_belong_together(run: Path, tmp_path: Path) -> None:
    def changed(**values: Any) -> Path:
        result = {**json.loads((run / "accuracy_blocks.json").read_text()), **values}
        write_json(tmp_path / "accuracy_changed.json", result)
        return tmp_path / "accuracy_changed.json"

    out = tmp_path / "report.html"
    data = json.loads((run / "accuracy_other.json").read_text())["data"]
    with pytest.raises(UsageError, match=r"'split' is val .* test"):
        write_report([run, changed(method="new", data={**data, "split": "test"})], out)
    with pytest.raises(UsageError, match=r"'name' is public .* own"):
        write_report([run, changed(method="new", protocol={"name": "own"})], out)
    with pytest.raises(UsageError, match="'blocks'"):
        write_report([run, changed()], out)
    assert not out.exists()


def test_of_a_folder_other_results_are_left_out(latency: Path, tmp_path: Path) -> None:
    shutil.copy(latency, tmp_path)
    write_json(tmp_path / "latency-table.json", {"benchmark": "latency-table"})
    assert [result.path.name for result in load_results([tmp_path])] == ["latency_cpu.json"]


def test_sources_that_are_no_results(run: Path, tmp_path: Path, bsds: Path) -> None:
    out = tmp_path / "report.html"
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[1]")
    (tmp_path / "old.json").write_text('{"benchmark": "latency"}')
    (tmp_path / "old_regions.json").write_text('{"benchmark": "regions", "split": "val", "images": 1, "rows": []}')
    (tmp_path / "unshown").mkdir()
    for path in ("int8.json", "unshown/latency-table.json"):
        write_json(tmp_path / path, {"benchmark": Path(path).stem})
    for source, message in (
        ("nowhere.json", "nowhere.json"),
        ("empty", "empty"),
        ("broken.json", "broken.json"),
        ("old.json", "old.json lacks 'settings'"),
        ("old_regions.json", "old_regions.json lacks 'figures'"),
        ("other.json", r"other\.json is no result"),
        ("int8.json", r"the report does not show results of 'int8'; leave .*int8\.json out"),
        ("unshown", "unshown holds no result"),
    ):
        with pytest.raises(UsageError, match=message):
            write_report([run, tmp_path / source], out)
    copy = shutil.copy(run / "accuracy_blocks.json", tmp_path / "accuracy_blocks.json")
    with pytest.raises(UsageError, match="label maps"):
        write_report([Path(copy)], out, bsds)
