"""A clock that stands still until it is told to go on."""


class Clock:
    """`clock()` is `now`, in seconds."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now
