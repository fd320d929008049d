"""What a section of the check is: a function that yields its result so far, again and again.

    def run(context: Context) -> Iterator[dict[str, Any]]:
        rows = []
        for item in items:
            context.check_time()
            rows.append(measure(item))
            yield {"rows": rows, "failures": []}

What was yielded last is kept, whatever happens then. A section whose last result lists `failures` has failed.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class SkippedError(Exception):
    """The section cannot run here; the message says why."""


class OutOfTimeError(Exception):
    """The section's time is up before its work is done."""


@dataclass(frozen=True)
class Section:
    """`target`: "module:function". `share`: of the whole budget; what a section leaves over goes to those after it."""

    name: str
    target: str
    share: float
    needs_gpu: bool = True


@dataclass(frozen=True)
class Context:
    """What a section is given.

    source: the root of the repository. work: a folder that all sections share, removed at the end. bsds: folder with BSDS500's
    images/ and groundTruth/, if there is one. end: when the section's time is up, by `time.monotonic`.
    """

    source: Path
    work: Path
    bsds: Path | None
    end: float

    def seconds_left(self) -> float:
        return self.end - time.monotonic()

    def check_time(self) -> None:
        """Raise `OutOfTimeError` once the time is up."""
        if self.seconds_left() <= 0:
            raise OutOfTimeError


Result = dict[str, Any]
