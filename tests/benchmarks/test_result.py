import json
import platform
from pathlib import Path

from ainet.benchmarks.result import WIDTH, readable_json, write_result


def test_a_result_says_what_it_was_made_on(tmp_path: Path) -> None:
    result = write_result(tmp_path / "x.json", "latency", {"rows": [1, 2]})
    assert json.loads((tmp_path / "x.json").read_text()) == result
    assert (result["benchmark"], result["rows"]) == ("latency", [1, 2])
    assert result["machine"]["python"] == platform.python_version()
    assert result["machine"]["cores"] >= 1
    assert "numpy" in result["versions"]


def test_what_fits_stands_on_one_line() -> None:
    rows = [{"name": "x" * 100, "value": number / 3} for number in range(40)]
    value = {"rows": rows, "empty": [], "nested": {"a": [1, None, "b"]}}
    text = readable_json(value)
    assert json.loads(text) == value
    assert len(text.splitlines()) == 40 + 6
    assert max(map(len, text.splitlines())) <= WIDTH + 1


def test_nan_and_inf_become_null() -> None:
    assert json.loads(readable_json({"a": [float("nan"), 1.5], "b": float("-inf")})) == {"a": [None, 1.5], "b": None}
