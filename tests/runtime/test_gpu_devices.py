"""What is asked about the GPUs of a machine, of a stand-in for cuda-bindings with two of them."""

import sys
from types import SimpleNamespace

import pytest

from ainet.errors import DeviceError
from ainet.runtime.cuda.devices import Device, find_devices, local_capability

MAJOR, MINOR = 75, 76
CAPABILITIES = {(MAJOR, 0): 9, (MINOR, 0): 0, (MAJOR, 1): 12, (MINOR, 1): 1}


@pytest.fixture
def cudart(monkeypatch):
    """`status`: what each function returns first. The second GPU is the current one."""
    module = SimpleNamespace(
        status=0,
        cudaDeviceAttr=SimpleNamespace(cudaDevAttrComputeCapabilityMajor=MAJOR, cudaDevAttrComputeCapabilityMinor=MINOR),
        cudaError_t=SimpleNamespace(cudaSuccess=0),
        cudaGetErrorString=lambda code: (0, b"no CUDA-capable device is detected"),
    )

    def answer(value):
        return lambda *arguments: (module.status, value(*arguments) if module.status == 0 else None)

    module.cudaGetDevice = answer(lambda: 1)
    module.cudaGetDeviceCount = answer(lambda: 2)
    module.cudaDriverGetVersion = answer(lambda: 12080)
    module.cudaGetDeviceProperties = answer(lambda index: SimpleNamespace(name=[b"NVIDIA H200\0\0", b"NVIDIA GeForce RTX 5090"][index]))
    module.cudaDeviceGetAttribute = answer(lambda attribute, device: CAPABILITIES[attribute, device])
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", module)
    return module


def test_all_gpus(cudart):
    assert find_devices() == [Device("NVIDIA H200", "sm90", "12.8"), Device("NVIDIA GeForce RTX 5090", "sm121", "12.8")]


def test_the_current_gpu(cudart):
    assert local_capability() == "sm121"


@pytest.mark.parametrize("ask", [find_devices, local_capability])
def test_no_gpu(cudart, monkeypatch, ask):
    cudart.status = 100
    with pytest.raises(DeviceError, match=r"no usable NVIDIA GPU \(no CUDA-capable device is detected\); check the driver with"):
        ask()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(DeviceError, match=r"needs the package cuda-bindings .*: pip install cuda-bindings$"):
        ask()


@pytest.mark.parametrize("ask", [find_devices, local_capability])
def test_the_real_bindings_have_what_is_asked(ask):
    pytest.importorskip("cuda.bindings.runtime")
    try:
        assert ask()
    except DeviceError as error:  # here without a GPU; a name that is missing would be an AttributeError
        assert "no usable NVIDIA GPU" in str(error)
