"""How every benchmark writes its result: a JSON file that people can read, with the machine and the versions in it."""

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ainet.benchmarks.speed.machine import machine, versions
from ainet.files import atomic_path

WIDTH = 360  # characters of a line: a row of a table stands on one


def write_result(path: str | os.PathLike[str], benchmark: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Write `values`, and return what the file holds: they, the name of the benchmark, versions and machine.

    Raises:
        OutputError: the file cannot be written.
    """
    result = {"benchmark": benchmark, **values, "versions": versions(), "machine": machine()}
    with atomic_path(path) as temporary:
        temporary.write_text(readable_json(result) + "\n")
    return result


def readable_json(value: Any, indent: str = "") -> str:
    """JSON in which everything that fits stands on one line. nan and inf, which JSON has not, become null."""
    line = json.dumps(_finite(value))
    if len(indent) + len(line) <= WIDTH or not isinstance(value, Mapping | list | tuple):
        return line
    deeper = indent + " "
    if isinstance(value, Mapping):
        parts = [f"{json.dumps(key)}: {readable_json(item, deeper)}" for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [readable_json(item, deeper) for item in value]
        opening, closing = "[", "]"
    lines = f",\n{deeper}".join(parts)
    return f"{opening}\n{deeper}{lines}\n{indent}{closing}"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
