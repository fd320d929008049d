"""The time that a whole run has, and how far its schedule has come in it: `ainet train --within 9m`."""

import time
from collections.abc import Callable, Mapping
from typing import Any


class GivenTime:
    """Spreads a schedule over a run of `seconds`, which may be done in pieces; the one at hand begins when this is made.

    Loading and compiling are over with the first step of a piece. From then on, what is left of the schedule is spread evenly over
    what is left of the time, but for `ending`, the seconds that the end of the run takes. `clock` gives seconds.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self.ending = 0.0
        self._clock = clock
        self._began = clock()
        self._used_before = 0.0  # by earlier pieces
        self._share_before = 0.0
        self._spread_from: float | None = None  # `used` at the end of the first step

    @property
    def used(self) -> float:
        """Seconds of all pieces."""
        return self._used_before + self._clock() - self._began

    @property
    def share(self) -> float:
        """How much of the schedule is done, 0 to 1."""
        if self._spread_from is None:
            return self._share_before
        room = self.seconds - self.ending - self._spread_from
        passed = (self.used - self._spread_from) / room if room > 0 else 1.0
        return min(1.0, self._share_before + (1 - self._share_before) * passed)

    def step_done(self) -> None:
        """To be called after every step."""
        if self._spread_from is None:
            self._spread_from = self.used

    def state(self) -> dict[str, float]:
        """What the next piece of the run has to know."""
        return {"used": self.used, "share": self.share, "ending": self.ending}

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Go on from the `state` of the piece before.

        Raises:
            ValueError: it is no such state. And `KeyError` or `TypeError`.
        """
        used, share, ending = (float(state[name]) for name in ("used", "share", "ending"))
        if not (0 <= used < float("inf") and 0 <= share <= 1 and 0 <= ending < float("inf")):
            raise ValueError(f"{share} of the schedule after {used} seconds, with {ending} for the end")
        self._used_before, self._share_before, self.ending = used, share, ending
