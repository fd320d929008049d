import numpy as np
import pytest

from ainet.benchmarks.speed.clock import Times, alternate


class FakeTime:
    """A clock that candidates set forward."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.seconds

    def candidate(self, name: str, *durations: float):
        left = iter(durations)

        def call() -> None:
            self.calls.append(name)
            self.seconds += next(left)

        return call


def test_candidates_alternate_and_the_warm_up_does_not_count() -> None:
    now, rounds = FakeTime(), []
    candidates = {"a": now.candidate("a", 9, 1, 2), "b": now.candidate("b", 9, 4, 4)}
    times = alternate(candidates, 2, on_round=rounds.append, now=now)
    assert now.calls == ["a", "b"] * 3
    assert rounds == [0, 1, 2]
    assert times == {"a": Times((1, 2)), "b": Times((4, 4))}


def test_ratios_are_of_the_same_rounds() -> None:
    slow, quick = Times((9.0, 9.0, 3.0, 5.0)), Times((1.0, 1.0, 2.0, 4.0))
    assert slow.median == 7.0
    assert slow.p95 == np.percentile([9, 9, 3, 5], 95)
    assert slow.ratio_to(quick) == 5.25  # the median of 9, 9, 1.5 and 1.25
    assert Times((2.0,)).ratio_to(quick) == 2.0  # of the rounds that both took part in
    assert Times((0.002,)).in_ms() == {"median_ms": 2.0, "p95_ms": 2.0}


def test_a_candidate_with_fewer_repeats_leaves_the_later_rounds_out() -> None:
    now = FakeTime()
    times = alternate({"a": now.candidate("a", 1, 1, 1), "b": now.candidate("b", 5)}, {"a": 3, "b": 1}, warm_up=0, now=now)
    assert now.calls == ["a", "b", "a", "a"]
    assert [len(own.seconds) for own in times.values()] == [3, 1]


def test_a_candidate_that_fails_takes_no_further_part() -> None:
    now, failures = FakeTime(), []
    candidates = {"short": now.candidate("short", 1, 1), "a": now.candidate("a", 1, 1, 1)}  # the first has no third call
    times = alternate(candidates, 3, warm_up=0, on_failure=lambda name, error: failures.append((name, type(error))), now=now)
    assert failures == [("short", StopIteration)]
    assert times == {"a": Times((1, 1, 1))}
    with pytest.raises(StopIteration):
        alternate({"short": now.candidate("short")}, 1, now=now)
    assert alternate({}, {}) == {}
