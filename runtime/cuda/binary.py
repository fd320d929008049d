"""The compiled kernels: shipped for all GPUs where the package was built with nvcc, else compiled here by NVRTC."""

import importlib
from functools import cache
from importlib import resources
from typing import Any

from ainet.errors import DeviceError

TARGETS = ("sm75", "sm80", "sm86", "sm89", "sm90", "sm100", "sm120")  # what the shipped file holds; newer GPUs take its PTX
_SHIPPED = resources.files("ainet.runtime.cuda") / "kernels.fatbin"


@cache
def kernel_binary(capability: str) -> bytes:
    """Code that the driver loads on a GPU of this compute capability, such as "sm90".

    Raises:
        DeviceError: there is neither compiled code nor NVRTC.
    """
    return _SHIPPED.read_bytes() if _SHIPPED.is_file() else compile_kernels(capability)


def kernel_source() -> str:
    """Where `kernel_binary` gets the code from, for people; errors likewise."""
    if _SHIPPED.is_file():
        return "compiled in this package"
    _, major, minor = _nvrtc().nvrtcVersion()
    return f"compiled at first use by NVRTC {major}.{minor}"


def compile_kernels(capability: str) -> bytes:
    """The kernels as a cubin for one compute capability, by NVRTC; needs no GPU.

    Raises:
        DeviceError: NVRTC is missing, or does not know this GPU.
    """
    sources = {file.name: file.read_bytes() for file in (resources.files("ainet.runtime") / "native" / "device").iterdir()}
    headers = {name: text for name, text in sources.items() if name.endswith(".cuh")}
    nvrtc = _nvrtc()
    names, texts = [name.encode() for name in headers], list(headers.values())
    created, program = nvrtc.nvrtcCreateProgram(sources["kernels.cu"], b"kernels.cu", len(names), texts, names)
    success = nvrtc.nvrtcResult.NVRTC_SUCCESS
    options = [b"--std=c++17", f"--gpu-architecture={capability.replace('sm', 'sm_')}".encode()]
    status = created
    if status == success:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    if status != success:
        reason = _log(nvrtc, program) or status.name
        raise DeviceError(f"NVRTC cannot compile the GPU kernels for {capability} ({reason}); update nvidia-cuda-nvrtc")
    code = b" " * nvrtc.nvrtcGetCUBINSize(program)[1]
    nvrtc.nvrtcGetCUBIN(program, code)
    nvrtc.nvrtcDestroyProgram(program)
    return code


def _nvrtc() -> Any:
    try:
        nvrtc: Any = importlib.import_module("cuda.bindings.nvrtc")
        nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError) as error:  # RuntimeError: the bindings do not find the library
        reason = "this package has no compiled GPU kernels, and no NVRTC to compile them: pip install cuda-bindings nvidia-cuda-nvrtc"
        raise DeviceError(f"{reason} ({error})") from error
    return nvrtc


def _log(nvrtc: Any, program: Any) -> str:
    log = b" " * nvrtc.nvrtcGetProgramLogSize(program)[1]
    nvrtc.nvrtcGetProgramLog(program, log)
    return log.rstrip(b"\0 \n").decode(errors="replace").partition("\n")[0]
