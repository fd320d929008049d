"""Results of the benchmarks, read and checked to belong together."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ainet.benchmarks.accuracy.regions import BY_COUNT
from ainet.benchmarks.peers import METHODS
from ainet.errors import UsageError
from ainet.files import is_file, is_folder, parse_json

KINDS = {  # and what their files hold
    "accuracy": ("method", "parameters", "protocol", "data", "figures", "scales", "conventions", "pairs", "skipped", "versions", "machine"),
    "latency": ("settings", "methods", "counts", "sizes", "growth", "memory", "left_out", "skipped", "versions", "machine"),
    "ablation": ("protocol", "data", "variants", "recipe"),
    "regions": ("split", "images", "rows", "figures"),
    "proposals": ("split", "images", "rows", "methods", "skipped"),
}


@dataclass(frozen=True)
class Result:
    """One result file: `name` is what the page calls it."""

    name: str
    path: Path
    data: dict[str, Any]

    def value(self, *keys: str | int) -> Any:
        """What stands at `keys`; None where nothing does."""
        value: Any = self.data
        for key in keys:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):  # the last of a number where a list or mapping belongs
                return None
        return value

    def pointer(self, *keys: str | int) -> str:
        """Where it stands: the file and a JSON pointer (RFC 6901)."""
        return f"{self.name}#" + "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in keys)


@dataclass(frozen=True)
class Results:
    """The results of a report by kind; methods in the order of `peers.METHODS`."""

    accuracy: list[Result]
    latency: list[Result]
    ablation: list[Result]
    regions: list[Result]
    proposals: list[Result]

    def __iter__(self) -> Iterator[Result]:
        return iter((*self.accuracy, *self.latency, *self.ablation, *self.regions, *self.proposals))

    @property
    def merged(self) -> list[Result]:
        """Those of merged regions that start as `ainet.segment` does, whose curves stand beside each other."""
        return [result for result in self.regions if any(row["start"] == BY_COUNT for row in result.data["rows"])]

    @property
    def beside_merged(self) -> list[Result]:
        """The accuracies of other methods that stand in the same plots: those of the same images."""
        images = [(result.data["split"], result.data["images"]) for result in self.merged[:1]]
        return [result for result in self.accuracy if (result.data["data"]["split"], result.data["data"]["images"]) in images]


def load_results(sources: Sequence[Path]) -> Results:
    """Read result files, and of folders of runs those that a report shows.

    Raises:
        UsageError: a source is missing or no result that a report shows, or two do not belong into one report.
    """
    read = [found for source in sources for found in _read(source)]
    names = Counter(path.name for path, _ in read)
    results = [Result(path.name if names[path.name] == 1 else str(path), path, data) for path, data in read]
    by_kind = {kind: [result for result in results if result.data["benchmark"] == kind] for kind in KINDS}
    accuracy, ablation = by_kind["accuracy"], by_kind["ablation"]
    for other in (*accuracy, *ablation)[1:]:
        _check_together((*accuracy, *ablation)[0], other)
    methods: dict[str, Result] = {}
    for result in accuracy:
        first = methods.setdefault(result.data["method"], result)
        if first is not result:
            raise UsageError(f"{first.path} and {result.path} are both of method '{result.data['method']}'; give one of them")
    accuracy.sort(key=lambda result: method_order(result.data["method"]))
    return Results(**by_kind)


def method_order(name: str) -> tuple[int, str]:
    base = name.partition("@")[0]
    names = list(METHODS)
    return names.index(base) if base in METHODS else len(names), name


def about_recipe(recipe: Mapping[str, Any]) -> str:
    """How long the variants of an ablation were trained: no more than a tendency shows after a short schedule."""
    return (
        f"Every variant: recipe '{recipe['name']}', {recipe['iterations']:,} iterations at batch {recipe['batch_size']}, for all alike; "
        "the paper's training is about 300,000 at batch 16."
    )


def row_id(group: str, method: str, case: str) -> str:
    """The id of a table's row, to which the points of the plots lead."""
    return re.sub(r"[^\w.-]", "_", f"{group}-{method}-{case}")


def _read(source: Path) -> list[tuple[Path, dict[str, Any]]]:
    if is_folder(source):
        files = sorted(path for kind in KINDS for path in source.glob(f"{kind}*.json"))
        found = [(path, _parse(path)) for path in files]
        found = [(path, data) for path, data in found if data["benchmark"] in KINDS]  # not latency-table.json
        if not found:
            raise UsageError(f"{source} holds no result; name a folder that `ainet bench` has written, once a run is finished")
    elif is_file(source):
        found = [(source, _parse(source))]
    else:
        raise UsageError(f"no result at {source}; name a JSON file or folder that `ainet bench` has written")
    for path, data in found:
        _check(path, data)
    return found


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = parse_json(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}; name a result of `ainet bench`") from error
    if not isinstance(data, dict) or not isinstance(data.get("benchmark"), str):
        raise UsageError(f"{path} is no result of `ainet bench`; leave it out")
    return data


def _check(path: Path, data: dict[str, Any]) -> None:
    kind = data["benchmark"]
    if kind not in KINDS:
        raise UsageError(f"the report does not show results of '{kind}'; leave {path} out")
    missing = [key for key in KINDS[kind] if key not in data]
    if missing:
        raise UsageError(f"{path} lacks '{missing[0]}': of another version or changed by hand; run `ainet bench {kind}` again")
    if not isinstance(data.get("method", ""), str):
        raise UsageError(f"{path} has a method that is no name; run `ainet bench {kind}` again")
    if not data.get("scales", True):
        raise UsageError(f"{path} has no scales; run `ainet bench accuracy` again")


def _check_together(first: Result, other: Result) -> None:
    for key in ("protocol", "data"):
        here, there = first.data[key], other.data[key]
        if here != there:
            field = next(name for name in {**here, **there} if here.get(name) != there.get(name))
            raise UsageError(
                f"{first.path} and {other.path} cannot be compared in one report: {key} '{field}' is {here.get(field)} in the one and "
                f"{there.get(field)} in the other; make two reports"
            )
