"""The results, and what all blocks are made with."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks/results"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def machine_note(result: dict[str, Any]) -> str:
    """Which machine, and what else it had to do: a load of no more than its cores is none."""
    machine = result["machine"]
    return f"{machine['cores']} cores of an {machine['processor']}, load {result['load']:.0f} meanwhile"


def load(source: str) -> Any:
    """The result of that name; for `accuracy_*` and `regions*` all of them by name."""
    if source == "regions*":
        return {name: load(name) for name in ("regions", "regions_seed") if (RESULTS / f"{name}.json").is_file()}
    return accuracies() if source == "accuracy_*" else json.loads((RESULTS / f"{source}.json").read_text())


def accuracies() -> dict[str, dict[str, Any]]:
    """The accuracy results by method, our own first."""
    results = {}
    for path in sorted(RESULTS.glob("accuracy_*.json")):
        result = json.loads(path.read_text())
        results[result["method"]] = result
    return {name: results.pop(name) for name in ("ainet", "ainet-lite", "scn")} | results
