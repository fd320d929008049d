from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.blocks import Blocks, install

from ainet.benchmarks.peers import Options
from ainet.benchmarks.speed.cases import Case, parse_counts, parse_counts_or_none, parse_size, parse_sizes, synthetic_picture
from ainet.benchmarks.speed.latency import growth, reference_of, run_latency
from ainet.benchmarks.speed.latency_table import latency_table, overview
from ainet.benchmarks.speed.probe import Probe, probe
from ainet.errors import DeviceError, UsageError


class FakeProbes:
    """First calls of half a second and 50 MiB, without processes; `other` does not bear 80 x 80 pixels."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, name: str, options: Options, image: NDArray[np.uint8], n_segments: int) -> Probe:
        self.asked.append(f"{name} {image.shape[1]}x{image.shape[0]} {n_segments}")
        if name == "other" and image.shape[:2] == (80, 80):
            raise DeviceError("its process was killed, as for want of memory")
        return Probe(0.5, 100.0, 150.0, None)


def timed(names: list[str], counts: list[int], sizes: list[tuple[int, int]], **options: Any) -> dict[str, Any]:
    return run_latency(names, counts, sizes, **{"repeats": 3, "prober": FakeProbes(), **options})


def rows_of(result: dict[str, Any], part: str) -> list[tuple[Any, ...]]:
    return [(row["method"], row["width"], row["height"], row["n_segments"], row["repeats"]) for row in result[part]]


def test_a_row_per_method_and_count(methods: dict[str, Blocks]) -> None:
    result = timed(["blocks", "other"], [96, 150], [], repeats=4)
    assert methods["blocks"].calls == [96] * (2 + 4) + [150] * (2 + 4)  # two rounds to warm up
    assert rows_of(result, "counts") == [(name, 481, 321, count, 4) for count in (96, 150) for name in ("blocks", "other")]
    row = result["counts"][0]
    assert row["superpixels"] == 96
    assert set(row["stages"]) == {"network", "connectivity"}
    assert 0 < sum(row["stages"].values()) <= row["seconds"]["median"] * 1.5
    assert result["growth"] == {}
    assert result["methods"]["blocks"] == {"parameters": {"kind": "rectangles"}, "trained": True}


def test_what_is_too_large_is_left_out_with_the_reason(methods: dict[str, Blocks]) -> None:
    probes, skipped = FakeProbes(), []
    sizes = [(160, 160), (80, 80), (48, 64)]
    result = timed(["absent", "blocks", "other"], [], sizes, budget=1.9, on_skip=skipped.append, prober=probes)
    assert probes.asked == ["blocks 64x48 12", "other 64x48 12", "blocks 80x80 25", "other 80x80 25"]  # small ones first
    assert rows_of(result, "sizes") == [("blocks", 64, 48, 12, 3), ("other", 64, 48, 12, 3), ("blocks", 80, 80, 25, 3)]
    assert [(row["method"], row["width"], row["reason"]) for row in result["left_out"]] == [
        ("other", 80, "its process was killed, as for want of memory"),
        ("blocks", 160, "a call would take about 2 s, over the budget of 1.9 s"),
        ("other", 160, "left out at a smaller size already"),
    ]
    assert list(result["skipped"]) == ["absent"] and skipped == [result["skipped"]["absent"]]
    assert [row["peak_mib"] for row in result["memory"]] == [150.0] * 3
    assert result["growth"]["blocks"]["points"] == 2


@pytest.mark.parametrize(("free", "left_out"), [(200.0, 1), (251.0, 0), (None, 0)])
def test_memory_that_is_not_there_is_not_asked_for(methods: dict[str, Blocks], free: float | None, left_out: int) -> None:
    result = timed(["blocks"], [], [(64, 64), (128, 128)], free_mib=lambda: free)  # 50 MiB, then 200
    assert len(result["left_out"]) == left_out


def test_a_method_that_fails_on_the_way_is_left_out(methods: dict[str, Blocks]) -> None:
    def fail(number: int) -> None:
        if number == 3:
            raise MemoryError("too much")

    methods["other"].on_call = fail
    result = timed(["blocks", "other"], [96], [])
    assert [row["method"] for row in result["counts"]] == ["blocks"]
    assert [(row["method"], row["reason"]) for row in result["left_out"]] == [("other", "MemoryError: too much")]


def test_ratios_to_scn(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {name: Blocks(name) for name in ("scn", "ainet")})
    rows = {row["method"]: row["ratio"] for row in timed(["scn", "ainet"], [96], [])["counts"]}
    assert rows["scn"] == {"scn": 1.0}
    assert rows["ainet"]["scn"] > 0


def test_references_are_on_the_same_engine_or_kind_of_device() -> None:
    methods = ["scn", "scn@openvino", "scn@cuda", "ssn"]
    found = {name: reference_of("scn", name, methods, Options()) for name in ("ainet@openvino", "ainet@cpu", "slic", "ainet@cuda:1")}
    assert found == {"ainet@openvino": "scn@openvino", "ainet@cpu": "scn", "slic": "scn", "ainet@cuda:1": "scn@cuda"}
    assert reference_of("ssn", "ainet@cuda", methods, Options()) is None
    assert reference_of("ssn", "ainet@cuda", methods, Options(device="cuda")) == "ssn"


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
    assert parse_size("100x50") == (50, 100)
    assert parse_counts("96,600,96") == parse_counts_or_none("96,600") == [96, 600]
    assert parse_sizes("none") == parse_counts_or_none("none") == []
    for text in ("big", "100x", "x50", "10.5x20", "", "0x50", "100x-5", f"{'9' * 5000}x50"):
        with pytest.raises(UsageError, match=f"'{text}'"):
            parse_sizes(text)
    for text in ("many", "", "96,", "0", "96,-600", "none"):
        with pytest.raises(UsageError, match=f"'{text}'"):
            parse_counts(text)


@pytest.mark.parametrize(
    ("options", "value"),
    [({"repeats": 2}, "repeats=2"), ({"budget": 0}, "0 s"), ({"counts": [3]}, "3 superpixels"), ({"sizes": [(100, 8)]}, "8x100")],
)
def test_numbers_out_of_range(methods: dict[str, Blocks], options: dict[str, Any], value: str) -> None:
    with pytest.raises(UsageError, match=value):
        timed(["blocks"], **{"counts": [96], "sizes": [], **options})
    assert methods["blocks"].calls == []


def test_the_synthetic_picture_is_the_same_every_time() -> None:
    picture = synthetic_picture(60, 80)
    assert picture.shape == (60, 80, 3)
    assert picture.std() > 30
    np.testing.assert_array_equal(picture, synthetic_picture(60, 80))


def test_the_table_has_a_row_per_method_case_and_number_of_threads(methods: dict[str, Blocks]) -> None:
    cases = [Case(48, 64, 12), Case(64, 80, 20)]
    skipped: list[str] = []
    result = latency_table(
        synthetic_picture(48, 64), ["blocks", "other", "absent"], cases, threads=[1, 2], repeats=3, on_skip=skipped.append
    )
    expected = [(name, threads, case.width) for threads in (1, 2) for case in cases for name in ("blocks", "other")]
    assert [(row["method"], row["threads"], row["width"]) for row in result["rows"]] == expected
    assert methods["blocks"].calls == 2 * ([12] * (1 + 3) + [20] * (1 + 3))  # a first call before the three that count
    assert list(result["skipped"]) == ["absent"] and skipped == list(result["skipped"].values())
    assert result["left_out"] == []
    assert all(row["ratio"] is None for row in result["rows"])  # OpenCV's SLIC is not among them
    assert [row["image"] for row in overview(result)][:4] == ["64x48", "64x48", "80x64", "80x64"]


def test_the_ratios_of_the_table_are_to_slic(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, {name: Blocks(name) for name in ("slic-cv", "ainet")})
    result = latency_table(synthetic_picture(48, 64), ["ainet", "slic-cv"], [Case(48, 64, 12)], threads=[1], repeats=2)
    ours, reference = result["rows"]
    assert reference["ratio"] == 1
    assert ours["ratio"] > 0
