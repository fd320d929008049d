"""The kernels compile for every GPU that the toolkit names; needs no GPU."""

import re
import sys
from importlib import resources

import pytest

from ainet.errors import DeviceError
from ainet.runtime.cuda import binary

pytestmark = pytest.mark.slow

KERNELS = {f"resize_to_{kind}" for kind in ("bytes", "floats", "halves")} | {"assign_floats", "assign_halves", "resize_ids"}
KERNELS |= {f"connect_{step}" for step in ("start", "unite", "flatten", "cut", "adopt", "number", "fill")}
TARGETS = ("sm75", "sm80", "sm86", "sm89", "sm90", "sm100", "sm120")  # of the compiled file, see CMakeLists.txt
EM_CUDA = 190


@pytest.fixture
def nvrtc():
    pytest.importorskip("cuda.core")
    module = pytest.importorskip("cuda.bindings.nvrtc")
    try:
        module.nvrtcVersion()
    except RuntimeError as error:
        pytest.skip(f"no NVRTC: {error}")
    return module


@pytest.mark.parametrize("capability", TARGETS)
def test_nvrtc_compiles_every_kernel(nvrtc, capability):
    code = binary.compile_kernels(capability)
    assert code[:4] == b"\x7fELF"
    assert int.from_bytes(code[18:20], "little") == EM_CUDA
    assert set(re.findall(rb"\0\.text\.ainet_(\w+)", code)) == {name.encode() for name in KERNELS}


def test_a_gpu_that_nvrtc_does_not_know(nvrtc):
    with pytest.raises(DeviceError, match=r"cannot compile the GPU kernels for sm20 .*; update nvidia-cuda-nvrtc"):
        binary.compile_kernels("sm20")


def test_the_shipped_file_is_taken_where_there_is_one():
    shipped = resources.files("ainet.runtime.cuda") / "kernels.fatbin"
    if not shipped.is_file():
        pytest.skip("this package was built without nvcc")
    code = binary.kernel_binary("sm90")
    assert code[:4] == (0xBA55ED50).to_bytes(4, "little")  # a fat binary
    assert len(code) > 50_000
    assert binary.kernel_source() == "compiled in this package"


def test_nvrtc_takes_the_place_of_the_shipped_file(nvrtc, monkeypatch, tmp_path):
    monkeypatch.setattr(binary, "SHIPPED", tmp_path / "kernels.fatbin")
    _, major, minor = nvrtc.nvrtcVersion()
    assert binary.kernel_source() == f"compiled at first use by NVRTC {major}.{minor}"
    assert binary.kernel_binary.__wrapped__("sm86") == binary.compile_kernels("sm86")


def test_neither_compiled_kernels_nor_nvrtc(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.core", None)
    with pytest.raises(DeviceError, match=r"pip install cuda-core cuda-bindings nvidia-cuda-nvrtc$"):
        binary.compile_kernels("sm90")
