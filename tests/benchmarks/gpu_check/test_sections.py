"""Sections on a machine without a GPU: what of them needs none, really run."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ainet.benchmarks.gpu_check import gpu_tests, networks, training
from ainet.benchmarks.gpu_check.gpu_tests import count_errors, others
from ainet.benchmarks.gpu_check.networks import BACKENDS, absent
from ainet.benchmarks.gpu_check.section import Context, OutOfTimeError, SkippedError
from ainet.benchmarks.gpu_check.stages import DeviceEvents
from ainet.benchmarks.gpu_check.training import Synthetic, measure
from ainet.errors import DeviceError
from ainet.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[3]
TESTS = """
import pytest

pytestmark = pytest.mark.gpu

@pytest.fixture
def tally(record_property):
    yield
    record_property("maps", 46)
    record_property("different_pixels", 0)

def test_good(tally):
    pass

def test_bad():
    assert 1 == 2

@pytest.mark.skip(reason="no data")
def test_skipped():
    pass
"""


@pytest.fixture
def context(tmp_path):
    (tmp_path / "source/tests/gpu").mkdir(parents=True)
    (tmp_path / "source/pytest.ini").write_text("[pytest]\nmarkers = gpu\n")
    (tmp_path / "work").mkdir()
    return Context(tmp_path / "source", tmp_path / "work", None, time.monotonic() + 60)


def test_the_gpu_tests_are_counted(context):
    (context.source / "tests/gpu/test_pipeline.py").write_text(TESTS)
    (context.source / "tests/gpu/test_kernels.py").write_text("def test_other(): assert False")
    (result,) = others(context)
    assert (result["tests"], result["passed"], result["failures"]) == (3, 1, ["test_bad"])
    assert list(result["skipped"]) == ["test_skipped"]
    assert result["skipped"]["test_skipped"].endswith("no data")
    assert result["recorded"] == {"test_good": {"maps": 46, "different_pixels": 0}}


def test_tests_that_take_too_long_are_interrupted(context):
    (context.source / "tests/gpu/test_kernels.py").write_text(
        "import time, pytest\n@pytest.mark.gpu\ndef test_slow(): time.sleep(600)\n",
    )
    short = Context(context.source, context.work, None, time.monotonic() + 2)
    with pytest.raises(OutOfTimeError):
        list(gpu_tests.kernels(short))


def test_what_ran_before_the_time_was_up_is_kept(context):
    (context.source / "tests/gpu/test_kernels.py").write_text(
        "import time, pytest\npytestmark = pytest.mark.gpu\ndef test_quick(): pass\ndef test_slow(): time.sleep(600)\n",
    )
    sections = gpu_tests.kernels(Context(context.source, context.work, None, time.monotonic() + gpu_tests.GRACE + 12))
    assert next(sections)["passed"] == 1
    with pytest.raises(OutOfTimeError):
        next(sections)


SANITIZER = """#!/bin/sh
# Runs the tests as the real tool does, in a process below its own. The first tool finds nothing, and the second never ends.
echo "tool $2, few sizes $AINET_TEST_FEW_SIZES"
tool=$2
shift 6
"$@" && echo "ERROR SUMMARY: 0 errors"
[ $tool = racecheck ] || { trap "echo interrupted; exit 1" INT; sleep 600 & wait; }
"""


def test_each_sanitizer_has_its_part_of_the_time(context, monkeypatch, capfd):
    tool = context.work / "compute-sanitizer"
    tool.write_text(SANITIZER)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(context.work), prepend=os.pathsep)
    (context.source / "tests/gpu/test_kernels.py").write_text(
        "import pytest\npytestmark = pytest.mark.gpu\ndef test_noise(): pass\ndef test_large(): pass\n",
    )
    sections = gpu_tests.sanitizer(Context(context.source, context.work, None, time.monotonic() + 2 * (gpu_tests.GRACE + 10)))
    found = [next(sections) for _ in range(2)][-1]
    with pytest.raises(OutOfTimeError):
        next(sections)
    assert found == {
        "tools": {"racecheck": {"errors": 0, "tests": 1, "ended": True}, "memcheck": {"errors": 0, "tests": 1, "ended": False}},
        "failures": [],
    }
    output = capfd.readouterr().out
    assert "tool racecheck, few sizes 1" in output
    assert output.endswith("interrupted\n\n")


def test_the_gpu_tests_of_this_repository_skip_here_and_that_is_no_success(context):
    if gpu_is_here():
        pytest.skip("there is a GPU")
    real = Context(ROOT, context.work, None, time.monotonic() + 120)
    (result,) = gpu_tests.kernels(real)
    assert result["tests"] == len(result["skipped"]) > 30
    assert result["failures"] == ["no test ran to its end"]


def gpu_is_here() -> bool:
    return not absent("torch")


@pytest.mark.parametrize(
    ("output", "errors"),
    [
        ("===== ERROR SUMMARY: 0 errors", 0),
        ("= ERROR SUMMARY: 2 errors\n= ERROR SUMMARY: 1 error", 3),
        ("= RACECHECK SUMMARY: 4 hazards displayed (4 errors, 0 warnings)", 4),
        ("Device not supported", None),
    ],
)
def test_summaries_of_compute_sanitizer(output, errors):
    assert count_errors(output) == errors


def test_absent_backends_say_why(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert {absent(backend) for backend in BACKENDS} == {
        f"{module} is not installed" for module in ("tensorrt", "tensorrt_rtx", "torch", "onnxruntime")
    }


def test_the_fp16_module_is_the_bundled_network():
    import numpy as np
    import torch

    from ainet.benchmarks.gpu_check.networks import torch_module
    from ainet.segmenter import Segmenter

    planes = np.random.default_rng(0).random((1, 3, 48, 64), np.float32) - np.float32(0.5)
    module, info = torch_module("scn", "fp16", "cpu")
    assert (info.network, info.precision, info.output) == ("scn", "fp16", "logits")
    with torch.inference_mode():
        found = module(torch.from_numpy(planes)).numpy()
    with Segmenter.load("scn", "torch") as exact:
        expected = exact.backend.run(planes)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.01 * np.abs(expected).max())
    assert (found != expected).any()


@pytest.mark.parametrize("backend", ["torch", networks.COMPILED])
def test_torch_is_opened_on_the_gpu_that_is_checked(tmp_path, monkeypatch, backend):
    import torch

    from ainet.runtime.cuda.guests import TorchNetwork

    placed, on = [], networks.torch_module

    def on_cpu(network, precision, device):
        placed.append(device)
        return on(network, precision, "cpu")

    for setting in ((torch.backends.cudnn, "allow_tf32"), (torch.backends.cudnn, "benchmark")):
        monkeypatch.setattr(*setting, getattr(*setting))  # as it was, afterwards
    monkeypatch.setattr(networks, "torch_module", on_cpu)
    opened = networks.open_network(backend, "scn", "fp16", SimpleNamespace(index=2), tmp_path)
    assert isinstance(opened, TorchNetwork)
    assert placed == [opened._device] == ["cuda:2"]
    assert (opened.info.network, opened.info.precision) == ("scn", "fp16")


def test_events_call_cuda_by_its_names():
    """Without a GPU every call is refused, and by CUDA itself: names and types of the arguments are right."""
    runtime = pytest.importorskip("cuda.bindings.runtime")
    if gpu_is_here():
        pytest.skip("there is a GPU")
    events = DeviceEvents()
    for call in (
        events.make,
        lambda: events.record(runtime.cudaEvent_t(0), 0, True),
        lambda: events.record(runtime.cudaEvent_t(0), 0, False),
        lambda: events.milliseconds(runtime.cudaEvent_t(0), runtime.cudaEvent_t(0)),
    ):
        with pytest.raises(DeviceError, match=r"^cudaEvent\w+: cudaError"):
            call()


def test_sections_skip_where_no_backend_is_there(context, monkeypatch):
    from ainet.benchmarks.gpu_check import latency, parity

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for run in (latency.run, latency.run_compiled, parity.run):
        with pytest.raises(SkippedError, match="torch is not installed"):
            list(run(context))


def test_training_is_measured_and_extrapolated(tmp_path):
    recipe = Recipe("tiny", iterations=1000, batch_size=2, lr=1e-4, crop=32, boundary="paper", boundary_start=600)
    row = measure(recipe, [Synthetic(0), Synthetic(1)], tmp_path, False, False, "cpu", block=1, blocks=2)
    before, after = row["seconds_per_step"].values()
    assert list(row["seconds_per_step"]) == ["without boundary loss", "with boundary loss"]
    assert row["extrapolated_hours_of_the_recipe"] == pytest.approx((600 * before + 400 * after) / 3600)
    assert row["iterations_per_second"]["with boundary loss"] == pytest.approx(1 / after)
    assert sum(row["parts_share"].values()) == pytest.approx(1)
    assert set(row["parts_share"]) == {"data", "network", "loss"}


def test_training_is_measured_as_it_runs_without_and_with_a_compiler(context, monkeypatch):
    seen = []
    monkeypatch.setattr(training, "measure", lambda recipe, samples, out, *mode: seen.append((*mode, out)) or {"compiled": mode[0]})
    *_, result = training.run(context)
    assert [mode[:3] for mode in seen] == [(False, False, "cuda"), (False, True, "cuda"), (True, True, "cuda")]
    assert len({out for *_, out in seen}) == 3  # else one would go on from the state of another
    assert [row["mode"] for row in result["runs"]] == ["eager", "graph", "graph, torch.compile"]


def test_a_recipe_without_boundary_loss_has_one_phase(tmp_path):
    recipe = Recipe("tiny", iterations=1000, batch_size=2, lr=1e-4, crop=32)
    row = measure(recipe, [Synthetic(0), Synthetic(1)], tmp_path, False, False, "cpu", block=1, blocks=2)
    (seconds,) = row["seconds_per_step"].values()
    assert row["extrapolated_hours_of_the_recipe"] == pytest.approx(1000 * seconds / 3600)
    assert training.load_recipe(training.RECIPE).batch_size == 16


BLOCKED = """
import sys
for name in ("typer", "rich", "matplotlib", "skimage", "tensorrt", "tensorrt_rtx", "openvino", "onnxscript", "tensorboard", "h5py"):
    sys.modules[name] = None
import json, importlib
result = {}
for module in sys.argv[1:]:
    try:
        importlib.import_module("ainet.benchmarks.gpu_check." + module)
        result[module] = None
    except ImportError as error:
        result[module] = str(error)
print(json.dumps(result))
"""


def test_what_the_check_needs_beside_the_runtime():
    """Only the parts named in docs/gpu-check.md need more than numpy, OpenCV, Pillow, torch, safetensors, scipy and onnx."""
    modules = ["machine", "floor", "gpu_tests", "engines", "latency", "parity", "training", "__main__"]
    run = subprocess.run([sys.executable, "-P", "-c", BLOCKED, *modules], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    assert {module for module, missing in found.items() if missing} == NEEDS_MORE, found


NEEDS_MORE = {"training"}  # tensorboard
