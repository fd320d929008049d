"""When a run shall stop: time budgets and signals."""

import signal
from types import FrameType, TracebackType
from typing import Any, Self

from ainet.errors import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """ "90s", "25m" or "1.5h" -> seconds.

    Raises:
        UsageError: not a positive number with one of these units.
    """
    try:
        seconds = float(text[:-1]) * SECONDS[text[-1:]]
    except (ValueError, KeyError):
        seconds = 0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"'{text}' is no duration; write for example 90s, 25m or 1.5h")
    return seconds


class StopSignals:
    """Within the context, the first SIGINT or SIGTERM only sets `received`; the next one acts as it did before."""

    def __init__(self) -> None:
        self.received = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self.received = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
