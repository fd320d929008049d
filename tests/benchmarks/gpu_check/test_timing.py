import numpy as np

from ainet.benchmarks.gpu_check import timing
from ainet.benchmarks.gpu_check.timing import ratio, summary, take_turns


def test_summary_of_known_values():
    assert summary(list(range(101))) == {"p50": 50, "p95": 95, "p99": 99, "runs": 101}


def test_ratio_is_within_rounds():
    # a burst that doubles both times of a round does not move it
    assert ratio([2, 2, 4, 20], [1, 1, 2, 10]) == 2


def test_actions_take_turns_and_warm_up_is_not_counted(monkeypatch):
    now = iter(np.arange(0, 10_000, 0.01).tolist())
    monkeypatch.setattr(timing.time, "perf_counter", lambda: next(now))
    calls = []
    times = take_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 0.0)
    assert calls == ["a", "b"] * (len(calls) // 2)
    assert {name: len(values) for name, values in times.items()} == {"a": timing.LEAST, "b": timing.LEAST}
    assert len(calls) // 2 >= timing.LEAST + timing.WARM_UP[0]
    np.testing.assert_allclose(times["a"], 0.01)


def test_quick_actions_stop_at_the_most():
    assert len(take_turns({"a": lambda: None}, 60.0)["a"]) == timing.MOST
