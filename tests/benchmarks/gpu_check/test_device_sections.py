"""The sections latency and parity from end to end, on the stand-in for a GPU."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from support.blocks import write_bsds
from support.counted_gpu import Device, DeviceEvents, Network

from ainet.benchmarks.gpu_check import latency, parity
from ainet.benchmarks.gpu_check.networks import BACKENDS, torch_module
from ainet.benchmarks.gpu_check.section import Context, OutOfTimeError
from ainet.benchmarks.speed.cases import Case
from ainet.errors import DeviceError

ROOT = Path(__file__).resolve().parents[3]
SMALL = Case(48, 64, 12)


@pytest.fixture
def gpu(monkeypatch):
    device = Device()
    for module in (latency, parity):
        monkeypatch.setattr(module, "Gpu", lambda index: device)
        monkeypatch.setattr(module, "absent", lambda backend: None if backend in ("torch", "onnxruntime") else f"no {backend}")
    monkeypatch.setattr(latency, "DeviceEvents", lambda: DeviceEvents(device))
    monkeypatch.setattr(latency, "SECONDS", 0.0)
    monkeypatch.setattr(latency, "CASES", ((SMALL, 1), (SMALL, 2)))
    return device


@pytest.fixture
def context(tmp_path):
    return Context(ROOT, tmp_path, None, time.monotonic() + 600)


def test_latency_goes_on_after_a_backend_that_fails(gpu, context, monkeypatch):
    def open_network(backend, network, precision, gpu, work):
        assert (precision, work) == ("fp16", context.work)
        if backend == "onnxruntime":
            raise DeviceError("it does not run here")
        return Network(gpu, True, {"ainet": 9, "scn": 6}[network])

    monkeypatch.setattr(latency, "open_network", open_network)
    seen = []
    for result in latency.run(context):
        seen.append((len(result["rows"]), len(result["not_measured"])))
    assert seen == [(0, 4), (1, 3), (2, 2), (3, 1), (4, 0)]
    assert result["absent"] == {"tensorrt": "no tensorrt", "tensorrt-rtx": "no tensorrt-rtx"}
    assert [(row["backend"], row["batch"], "error" in row) for row in result["rows"]] == [
        ("torch", 1, False), ("onnxruntime", 1, True), ("torch", 2, False), ("onnxruntime", 2, True),
    ]  # fmt: skip
    assert result["failures"] == [f"onnxruntime, 64x48, batch {batch}: DeviceError: it does not run here" for batch in (1, 2)]
    assert result["rows"][0]["ratio"]["network"] == 1.5
    assert not gpu.memory


def test_stages_of_a_batch_in_shares(gpu):
    plan_batch = latency.batch_of(np.zeros((60, 80, 3), np.uint8), SMALL, 33)
    row = latency.measure(lambda name: Network(gpu, True, 2), gpu, DeviceEvents(gpu), plan_batch, SMALL, seconds=0.0)
    assert row["images_at_once"] == 9  # 33 over four lanes
    assert row["networks"]["ainet"]["stages_ms"]["network"]["p50"] == 2 * 4  # a run for each share
    assert set(row["networks"]["ainet"]["stages_ms"]) == set(latency.STAGES)
    assert not gpu.memory


def test_what_time_does_not_reach_is_listed(gpu, context, monkeypatch):
    monkeypatch.setattr(latency, "open_network", lambda backend, network, precision, gpu, work: Network(gpu, False, 1))
    sections = latency.run(Context(context.source, context.work, None, time.monotonic()))
    assert len(next(sections)["not_measured"]) == 4
    with pytest.raises(OutOfTimeError):
        next(sections)


@pytest.mark.parametrize("wrong", [False, True])
def test_parity_of_fp16_with_the_real_networks(gpu, context, tmp_path, monkeypatch, wrong):
    data = write_bsds(tmp_path / "bsds", monkeypatch)

    def open_network(backend, network, precision, gpu, work):
        module, info = torch_module(network, precision, "cpu")

        def scores(planes):
            with torch.inference_mode():
                return np.roll(module(torch.from_numpy(planes.copy())).numpy(), int(wrong and backend == "torch"), axis=1)

        return Network(gpu, True, info=info, scores=scores)

    monkeypatch.setattr(parity, "open_network", open_network)
    monkeypatch.setattr(parity, "SUPERPIXELS", 24)
    *_, result = parity.run(Context(ROOT, context.work, data, context.end))
    assert [(row["network"], row["backend"]) for row in result["rows"]] == [
        (network, backend) for network in ("ainet", "scn") for backend in BACKENDS if backend in ("torch", "onnxruntime")
    ]
    for row in result["rows"]:
        assert "error" not in row
        assert row["precision"] == "fp16"
        assert set(row["differences"]) == {"asa", "br", "bp", "co"}
        spoilt = wrong and row["backend"] == "torch"
        assert (row["argmax"] < 0.9) == spoilt
        assert ("argmax" in row["out_of_bounds"]) == spoilt
    assert any("torch: argmax" in failure for failure in result["failures"]) == wrong
    assert result["images"] == result["bsds_images"] > 0
