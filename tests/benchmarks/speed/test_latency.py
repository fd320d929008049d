import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ainet.benchmarks.peers import Options, Stages
from ainet.benchmarks.speed import latency
from ainet.benchmarks.speed.cases import parse_counts, parse_sizes, synthetic_picture
from ainet.benchmarks.speed.latency import growth, run_latency
from ainet.benchmarks.speed.probe import Probe, probe
from ainet.errors import DeviceError, UsageError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Probes of fake methods without processes, and no pauses; returns what was probed."""
    probed = []

    def fake(name: str, options: Options, image: NDArray[np.uint8], n_segments: int) -> Probe:
        probed.append(f"{name} {image.shape[1]}x{image.shape[0]} {n_segments}")
        if name == "other" and image.shape[:2] == (80, 80):
            raise DeviceError("its process was killed, as for want of memory")
        return Probe(0.5, 100.0, 150.0, None)

    monkeypatch.setattr(latency, "probe", fake)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    return probed


def rows_of(result: dict[str, Any], part: str) -> list[tuple[Any, ...]]:
    return [(row["method"], row["width"], row["height"], row["n_segments"], row["repeats"]) for row in result[part]]


def test_methods_take_turns(methods: dict[str, Any], clock: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    for name in ("blocks", "other"):
        monkeypatch.setattr(methods[name], "calls", Log(name, order))
    result = run_latency(["blocks", "other"], [96], [], repeats=4)
    assert order == ["blocks", "other"] * (2 + 4)  # two rounds to warm up
    assert rows_of(result, "counts") == [("blocks", 481, 321, 96, 4), ("other", 481, 321, 96, 4)]
    assert result["counts"][0]["superpixels"] == 96
    assert set(result["counts"][0]["stages"]) == {"network", "connectivity"}
    assert result["growth"] == {}


class Log(list[int]):
    def __init__(self, name: str, order: list[str]) -> None:
        super().__init__()
        self.name, self.order = name, order

    def append(self, count: int) -> None:
        self.order.append(self.name)


def test_what_is_too_large_is_left_out_with_the_reason(methods: dict[str, Any], clock: list[str]) -> None:
    sizes = [(160, 160), (80, 80), (48, 64)]
    result = run_latency(["absent", "blocks", "other"], [], sizes, repeats=3, budget=1.9, on_skip=lambda line: None)
    assert clock == ["blocks 64x48 12", "other 64x48 12", "blocks 80x80 25", "other 80x80 25"]  # small ones first
    assert rows_of(result, "sizes") == [("blocks", 64, 48, 12, 3), ("other", 64, 48, 12, 3), ("blocks", 80, 80, 25, 3)]
    assert [(row["method"], row["width"], row["reason"]) for row in result["left_out"]] == [
        ("other", 80, "its process was killed, as for want of memory"),
        ("blocks", 160, "a call would take about 2 s, over the budget of 1.9 s"),
        ("other", 160, "left out at a smaller size already"),
    ]
    assert result["skipped"] == {"absent": "method 'absent' needs the package absent: pip install absent"}
    assert [row["peak_mib"] for row in result["memory"]] == [150.0] * 3
    assert result["growth"]["blocks"]["points"] == 2


def test_memory_that_is_not_there_is_not_asked_for(methods: dict[str, Any], clock: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "available_mib", lambda: 200.0)
    result = run_latency(["blocks"], [], [(64, 64), (128, 128)], repeats=3)
    assert result["left_out"][0]["reason"] == "it would take about 0 GiB of memory; 0 are free"  # 200 of 200 MiB
    monkeypatch.setattr(latency, "available_mib", lambda: 251.0)
    assert run_latency(["blocks"], [], [(64, 64), (128, 128)], repeats=3)["left_out"] == []


def test_ratios_are_of_the_same_rounds(methods: dict[str, Any], clock: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    times = {"scn": [1.0, 1.0, 2.0, 4.0], "ssn": [8.0, 8.0, 8.0, 8.0], "ainet": [9.0, 9.0, 3.0, 5.0]}
    for name, seconds in times.items():
        methods[name] = Timed(name, [seconds[0]] * 2 + seconds)  # the first two warm up
    rows = {row["method"]: row for row in run_latency(["scn", "ssn", "ainet"], [96], [], repeats=4)["counts"]}
    assert rows["ainet"]["seconds"]["median"] == 7.0
    assert rows["ainet"]["ratio"] == {"scn": 5.25, "ssn": pytest.approx((9 / 8 + 5 / 8) / 2)}  # medians of 9, 9, 1.5, 1.25 and so on
    assert rows["scn"]["ratio"]["scn"] == 1.0
    assert rows["ainet"]["seconds"]["p99"] <= 9.0


def test_ratios_are_to_the_same_kind_of_device(methods: dict[str, Any], clock: list[str]) -> None:
    times = {"scn": 8.0, "scn@openvino": 4.0, "scn@cuda": 1.0, "ainet@openvino": 6.0, "ainet@cpu": 6.0, "ainet@cuda:1": 3.0}
    for name, seconds in times.items():
        methods[name] = Timed(name, [seconds] * 5)
    rows = {row["method"]: row["ratio"] for row in run_latency(list(times), [96], [], repeats=3)["counts"]}
    assert rows["ainet@openvino"] == {"scn": 1.5}
    assert rows["ainet@cpu"] == {"scn": 0.75}
    assert rows["ainet@cuda:1"] == {"scn": 3.0}


def test_an_interrupted_run_goes_on(methods: dict[str, Any], clock: list[str], tmp_path: Path) -> None:
    keep, sizes = tmp_path / "keep.json", [(64, 64), (80, 80)]
    whole = run_latency(["blocks"], [96, 150], sizes, repeats=3)
    methods["blocks"].calls, calls = Stopping(2 * 5 + 5 + 1), methods["blocks"].calls  # in the second size
    with pytest.raises(KeyboardInterrupt):
        run_latency(["blocks"], [96, 150], sizes, repeats=3, keep=keep)
    clock.clear()
    calls.clear()
    methods["blocks"].calls = calls
    resumed = run_latency(["blocks"], [96, 150], sizes, repeats=3, keep=keep)
    assert calls == [25] * 5 and clock == ["blocks 80x80 25"]
    assert not keep.exists()
    for part in ("counts", "sizes"):
        assert rows_of(resumed, part) == rows_of(whole, part)
    assert resumed["memory"] == whole["memory"]
    keep.write_text("{")
    with pytest.raises(UsageError, match=r"keep\.json is damaged"):
        run_latency(["blocks"], [96], [], repeats=3, keep=keep)


def test_a_method_that_fails_on_the_way_is_left_out(methods: dict[str, Any], clock: list[str]) -> None:
    methods["other"].calls = Stopping(3, MemoryError("too much"))
    result = run_latency(["blocks", "other"], [96], [], repeats=3)
    assert [row["method"] for row in result["counts"]] == ["blocks"]
    assert [(row["method"], row["reason"]) for row in result["left_out"]] == [("other", "MemoryError: too much")]


class Stopping(list[int]):
    """Calls, of which one raises."""

    def __init__(self, number: int, error: BaseException | None = None) -> None:
        super().__init__()
        self.number, self.error = number, error or KeyboardInterrupt()

    def append(self, count: int) -> None:
        super().append(count)
        if len(self) == self.number:
            raise self.error


class Timed:
    """A method that says how long it took."""

    trained = False

    def __init__(self, name: str, seconds: list[float]) -> None:
        self.name, self.seconds, self.parameters = name, iter(seconds), {}

    def __call__(self, image: NDArray[np.uint8], n_segments: int, stages: Stages) -> NDArray[np.int32]:
        stages.seconds["network"] = next(self.seconds)
        return np.zeros(image.shape[:2], np.int32)


def test_growth_is_the_power_of_the_pixels() -> None:
    rows = [{"method": "a", "height": side, "width": side, "seconds": {"median": 1e-6 * side**2.6}} for side in (100, 200, 800)]
    assert growth([*rows, {**rows[0], "method": "alone"}]) == {"a": {"exponent": pytest.approx(1.3), "points": 3}}


def test_a_probe_sees_time_and_memory_of_its_process() -> None:
    small, large = (probe("slic", Options(), synthetic_picture(*size), 12) for size in ((48, 64), (1000, 1500)))
    for found in (small, large):
        assert found.seconds > 0
        assert found.gpu_mib is None
    if small.peak_mib is not None and large.peak_mib is not None and large.loaded_mib is not None:  # Linux
        # The image in Lab of 64 bits is there at least once, which took none of what this process holds.
        assert large.peak_mib - large.loaded_mib > 1000 * 1500 * 3 * 8 / 2**20
        assert small.peak_mib < large.peak_mib
    with pytest.raises(UsageError, match="n_segments=0"):
        probe("slic", Options(), synthetic_picture(48, 64), 0)


def test_sizes_and_counts_as_text() -> None:
    assert parse_sizes("vga,4K,100x50") == [(480, 640), (2160, 3840), (50, 100)]
    assert parse_counts("96,600") == [96, 600]
    assert parse_sizes("none") == parse_counts("none") == []
    for text in ("big", "100x", "x50", "10.5x20", ""):
        with pytest.raises(UsageError, match="is not one of vga, 720p"):
            parse_sizes(text)
    with pytest.raises(UsageError, match="counts 'many' are no numbers"):
        parse_counts("many")


def test_numbers_out_of_range(methods: dict[str, Any]) -> None:
    for options, message in (({"repeats": 2}, "at least 3 repeats"), ({"budget": 0}, "more than 0 s")):
        with pytest.raises(UsageError, match=message):
            run_latency(["blocks"], [96], [], **options)
    with pytest.raises(UsageError, match="cannot time 481x321, 3 superpixels"):
        run_latency(["blocks"], [3], [])
    with pytest.raises(UsageError, match="cannot time 8x100"):
        run_latency(["blocks"], [], [(100, 8)])


def test_the_synthetic_picture_is_the_same_every_time() -> None:
    picture = synthetic_picture(60, 80)
    assert picture.shape == (60, 80, 3)
    assert picture.std() > 30
    np.testing.assert_array_equal(picture, synthetic_picture(60, 80))
