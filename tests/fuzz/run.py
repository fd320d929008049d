"""`python -m fuzz.run --inputs 10000`: so many damaged files of each kind, a table of what became of them, and each that went wrong.

A file is made of the name of its kind and its number alone: `--target recipes --number 17 --save bad.toml` makes it again.
"""

import argparse
import json
import multiprocessing
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from queue import SimpleQueue
from random import Random
from threading import Event

from fuzz.targets import TARGETS, open_target
from fuzz.worker import ACCEPTED, BAD, CRASH, HANG, MEGABYTE, REFUSED, Outcome, serve

WAITS, WAIT = 10, 60  # times so many seconds by the clock for a file: of a process that waits, and uses no time of the processor
STRIDE = 100  # files of a kind one after the other in one process
RENEW = 2000  # files of a process


@dataclass
class Row:
    """What became of the files of one kind."""

    counts: Counter[str] = field(default_factory=Counter)
    growth: int = 0
    bad: list[dict[str, object]] = field(default_factory=list)

    def add(self, number: int, outcome: Outcome) -> None:
        self.counts[outcome.kind] += 1
        self.growth = max(self.growth, outcome.growth)
        if outcome.kind in BAD:
            self.bad.append({"number": number, **asdict(outcome)})


class Reader:
    """A worker process, and another after each that ends."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._connection: Connection | None = None
        self._process: BaseProcess | None = None
        self._read = 0

    def read(self, target: str, number: int) -> Outcome:
        if self._connection is None or self._process is None or self._read >= RENEW:
            self.close()
            self._start()
        assert self._connection is not None and self._process is not None
        self._read += 1
        try:
            self._connection.send((target, number))
            if any(self._connection.poll(WAIT) for _ in range(WAITS)):  # one long wait would count while the machine sleeps
                outcome: Outcome = self._connection.recv()
                return outcome
            kind, detail = HANG, f"no answer in {WAITS * WAIT} seconds"
            self._process.kill()
        except (EOFError, OSError):
            self._process.join()
            code = self._process.exitcode or 0
            kind = HANG if code == -signal.SIGXCPU else CRASH
            detail = f"exit code {code}: {self._log.read_text(errors='replace')[-2000:]}"
        self.close()
        return Outcome(kind, detail, 0, 0)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=serve, args=(other, str(self._log)), daemon=True)
        self._process.start()
        other.close()
        self._read = 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.join()
        self._connection = self._process = None


def fuzz(targets: Sequence[str], first: int, inputs: int, jobs: int = 1, stopped: Event | None = None) -> dict[str, Row]:
    """Read `inputs` files of each kind, numbered from `first`, in `jobs` processes at once. It ends early when it is `stopped`."""
    rows = {name: Row() for name in targets}
    parts: SimpleQueue[tuple[str, range] | None] = SimpleQueue()
    for start in range(first, first + inputs, STRIDE):
        for name in targets:
            parts.put((name, range(start, min(start + STRIDE, first + inputs))))
    for _ in range(jobs):
        parts.put(None)

    def work(log: Path) -> None:
        reader = Reader(log)
        while (part := parts.get()) is not None and not (stopped and stopped.is_set()):
            name, numbers = part
            start = time.monotonic()
            for number in numbers:
                rows[name].add(number, reader.read(name, number))
            seconds = time.monotonic() - start
            print(
                f"{name} {numbers.start}..{numbers.stop - 1}: {seconds:.1f} s, {len(rows[name].bad)} bad so far",
                file=sys.stderr,
                flush=True,
            )
        reader.close()

    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        for job in [pool.submit(work, Path(folder, f"{job}.log")) for job in range(jobs)]:
            job.result()
    return rows


def table(rows: dict[str, Row]) -> str:
    """As Markdown."""
    kinds = (ACCEPTED, REFUSED, *BAD)
    lines = [["kind of file", "inputs", *kinds, "MB at most"], ["---"] * (len(kinds) + 3)]
    for name, row in rows.items():
        lines.append([name, str(row.counts.total()), *(str(row.counts[kind]) for kind in kinds), f"{row.growth / MEGABYTE:.0f}"])
    total = sum((row.counts for row in rows.values()), Counter[str]())
    most = max(row.growth for row in rows.values()) / MEGABYTE
    lines.append(["all", str(total.total()), *(str(total[kind]) for kind in kinds), f"{most:.0f}"])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", action="append", choices=TARGETS, help="kind of file; repeat for more; default: all")
    parser.add_argument("--inputs", type=int, default=5600, help="files of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--json", type=Path, help="also write the table, and what went wrong, to this file")
    parser.add_argument("--number", type=int, help="make this one file alone")
    parser.add_argument("--save", type=Path, help="where")
    arguments = parser.parse_args()
    targets = arguments.target or list(TARGETS)
    if arguments.save:
        with tempfile.TemporaryDirectory() as folder:
            arguments.save.write_bytes(open_target(targets[0], Path(folder)).case(Random(f"{targets[0]} {arguments.number}")))
        return
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # ends with a table too
        signal.signal(number, lambda *_: stopped.set())
    rows = fuzz(targets, arguments.first, arguments.inputs, arguments.jobs, stopped)
    print(table(rows))
    for name, row in rows.items():
        for bad in row.bad[:20]:
            print(f"\n{name} {bad['number']}: {bad['kind']}\n{bad['detail']}")
    if arguments.json:
        values = {name: {"counts": row.counts, "growth": row.growth, "bad": row.bad} for name, row in rows.items()}
        arguments.json.write_text(json.dumps(values, indent=1) + "\n")
    sys.exit(any(row.bad for row in rows.values()))


if __name__ == "__main__":
    main()
