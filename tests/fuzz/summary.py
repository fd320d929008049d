"""`python -m fuzz.summary build/*.json -o FILE`: what `fuzz.run`, `fuzz.kill` and `fuzz.threads` have written with `--json`, as one.

Where several runs have read files of one kind, or killed one command, their counts are added up.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fuzz.targets import TARGETS
from fuzz.worker import ACCEPTED, BAD, MEGABYTE, REFUSED


def summarise(results: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The results of several runs as one."""
    counts = {name: Counter[str]() for name in TARGETS}
    growth = dict.fromkeys(TARGETS, 0)
    kills, finished = Counter[str](), Counter[str]()
    threads: list[Any] = []
    for result in results:
        for report in result.get("killed", []):
            kills[report["command"]] += report["kills"]
            finished[report["command"]] += report["finished"]
        threads += result.get("threads", [])
        for name in result.keys() & TARGETS.keys():
            counts[name].update(result[name]["counts"])
            growth[name] = max(growth[name], result[name]["growth"])
    damaged = [
        {"kind": name, "inputs": count.total(), **{outcome: count[outcome] for outcome in (ACCEPTED, REFUSED, *BAD)}}
        | {"megabytes": round(growth[name] / MEGABYTE)}
        for name, count in counts.items()
    ]
    killed = [{"command": command, "kills": count, "finished": finished[command]} for command, count in kills.items()]
    return {"damaged": damaged, "killed": killed, "threads": threads}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("-o", "--out", type=Path, required=True)
    arguments = parser.parse_args()
    summary = summarise(json.loads(path.read_text()) for path in arguments.results)
    arguments.out.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
