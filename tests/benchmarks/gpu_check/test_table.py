"""The table from a result of the check's own making: every figure of it in its place."""

import copy
import json

import pytest

from ainet.benchmarks.gpu_check.stages import STAGES
from ainet.benchmarks.gpu_check.table import aligned, table


def record(result=None, status="passed", error=None, seconds=1.5):
    return {"status": status, "error": error, "result": result or {}, "seconds": seconds}


def times(p50):
    return {"p50": p50, "p95": 2 * p50, "p99": 3 * p50, "runs": 100}


def network(milliseconds):
    stages = {stage: times(milliseconds / 10 * (index + 1)) for index, stage in enumerate(STAGES)}
    return {"end_to_end_ms": times(milliseconds), "images_per_second": 1e3 / milliseconds, "stages_ms": stages}


CASE = {"height": 321, "width": 481, "batch": 1}
RESULT = {
    "benchmark": "gpu_check",
    "budget_s": 470.0,
    "seconds": 430.2,
    "build_seconds": 71.3,
    "sections": {
        "machine": record({"gpu": "sm90", "reason": None, "machine": {"gpu": "NVIDIA Example"}, "tools": ["nvcc"]}),
        "floor": record(
            {
                "rates": {"device_memory": 4.3e12, "fp16_matrix": 7.9e14},
                "rows": [
                    {"network": "scn", **CASE, "stages_ms": dict.fromkeys(STAGES, 9.0), "end_to_end_ms": 54.0},
                    {"network": "ainet", **CASE, "stages_ms": dict.fromkeys(STAGES, 0.0125), "end_to_end_ms": 0.075},
                ],
            }
        ),
        "kernels": record(
            {
                "passed": 40,
                "skipped": {"test_x": "no data"},
                "failures": [],
                "recorded": {"a": {"maps": 10_000, "different_pixels": 0}, "b": {"maps": 846, "different_pixels": 2}},
            }
        ),
        "engines": record(status="skipped", error="no TensorRT is installed"),
        "latency": record(
            {
                "rows": [
                    {
                        "backend": "torch",
                        **CASE,
                        "captured": True,
                        "networks": {"ainet": network(0.4), "scn": network(0.35)},
                        "ratio": {"end_to_end": 1.125, "network": 1.25},
                    },
                    {"backend": "onnxruntime", **CASE, "error": "DeviceError: it failed"},
                ],
                "failures": ["onnxruntime, 481x321, batch 1: DeviceError: it failed"],
            },
            status="failed",
        ),
        "parity": record(
            {
                "images": 3,
                "bsds_images": 0,
                "rows": [{"network": "ainet", "backend": "torch", "argmax": 0.99941, "differences": {}, "out_of_bounds": []}],
            }
        ),
        "training": record(
            {
                "recipe": {"name": "full", "batch_size": 16},
                "data": "synthetic",
                "runs": [
                    {
                        "mode": "eager",
                        "iterations_per_second": {"without boundary loss": 50.0, "with boundary loss": 40.0},
                        "parts_share": {"data": 0.1, "network": 0.7, "loss": 0.2},
                        "extrapolated_hours_of_the_recipe": 1.8,
                    }
                ],
            }
        ),
        "sanitizer": record({"tools": {"memcheck": {"errors": 0, "tests": 12}}, "failures": []}),
    },
}


@pytest.fixture
def lines():
    return [line.split() for line in table(json.loads(json.dumps(RESULT))).splitlines()]


@pytest.mark.parametrize(
    "line",
    [
        "torch 481x321 1 0.400 0.800 1.200 2,500 1.125 1.250 0.075",
        "torch 481x321 1 0.0400 0.0800 0.1200 0.1600 0.2000 0.2400 graph",
        "floor 481x321 1 0.0125 0.0125 0.0125 0.0125 0.0125 0.0125",
        "measured rates: device memory 4.3 TB/s, fp16 matrix 790 Top/s",
        "ainet torch 99.9410% - - - passed",
        "fp16 against PyTorch in float32, 3 photos",
        "eager 50.0 without boundary loss, 40.0 with boundary loss data 10%, network 70%, loss 20% 1.8",
        "GPU check on NVIDIA Example (sm90): 430 s of 470 s after 71 s of building",
        "kernels passed 1.5 40 tests passed, 1 skipped; 10,846 maps, 2 pixels differ from the CPU's",
        "engines skipped 1.5 no TensorRT is installed",
        "latency failed 1.5 1 failures: onnxruntime, 481x321, batch 1: DeviceError: it failed",
        "sanitizer passed 1.5 memcheck: 0 errors in 12 tests",
    ],
)
def test_lines(lines, line):
    assert line.split() in lines


def test_extrapolated_times_say_so():
    assert "(extrapolated)" in table(RESULT)


def test_parity_out_of_bounds_is_named():
    result = copy.deepcopy(RESULT)
    (row,) = result["sections"]["parity"]["result"]["rows"]
    row |= {"differences": {"asa": -0.0007, "br": 0.0001, "bp": 0.0}, "out_of_bounds": ["asa"]}
    assert "-0.00070  +0.00010  +0.00000  out of bounds: asa" in table(result)


def test_sections_that_gave_nothing_leave_no_block():
    sections = {"machine": record({"gpu": None, "reason": "no driver"}), "latency": record(status="skipped", error="no GPU: no driver")}
    text = table({**RESULT, "build_seconds": None, "sections": sections})
    assert text.startswith("GPU check without a GPU (nothing was checked on a device): 430 s of 470 s\n")
    assert "ms" not in text.split()


def test_a_machine_section_that_died_is_no_gpu():
    sections = {"machine": record(status="failed", error="its process died (SIGSEGV); see log.txt")}
    assert "SIGSEGV" in table({**RESULT, "sections": sections})


def test_columns_are_aligned():
    assert aligned(["a", "bb"], [["ccc", "d"], ["e"]]) == "a    bb\nccc  d\ne"
