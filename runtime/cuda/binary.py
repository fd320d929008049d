"""The compiled kernels: shipped for all GPUs where the package was built with nvcc, else compiled here by NVRTC."""

from functools import cache
from importlib import resources

from ainet.errors import DeviceError

SHIPPED = resources.files("ainet.runtime.cuda") / "kernels.fatbin"
SOURCES = resources.files("ainet.runtime") / "native" / "device"


@cache
def kernel_binary(capability: str) -> bytes:
    """Code that the driver loads on a GPU of this compute capability, such as "sm90".

    Raises:
        DeviceError: there is neither compiled code nor NVRTC.
    """
    return SHIPPED.read_bytes() if SHIPPED.is_file() else compile_kernels(capability)


def kernel_source() -> str:
    """Where `kernel_binary` gets the code from, for people; errors likewise."""
    if SHIPPED.is_file():
        return "compiled in this package"
    return f"compiled at first use by NVRTC {'.'.join(map(str, _nvrtc_version()))}"


def compile_kernels(capability: str) -> bytes:
    """The kernels as a cubin for one compute capability, by NVRTC; needs no GPU.

    Raises:
        DeviceError: NVRTC is missing, or does not know this GPU.
    """
    _nvrtc_version()
    from cuda.core import Program, ProgramOptions

    source = (SOURCES / "kernels.cu").read_text(encoding="utf-8")
    try:
        with resources.as_file(SOURCES) as folder:
            options = ProgramOptions(std="c++17", arch=capability.replace("sm", "sm_"), include_path=str(folder))
            return bytes(Program(source, "c++", options).compile("cubin").code)
    except Exception as error:  # its class is private to cuda-core
        reason = str(error).partition("\n")[0]
        raise DeviceError(f"NVRTC cannot compile the GPU kernels for {capability} ({reason}); update nvidia-cuda-nvrtc") from error


def _nvrtc_version() -> tuple[int, int]:
    try:
        import cuda.core  # noqa: F401
        from cuda.bindings import nvrtc

        _, major, minor = nvrtc.nvrtcVersion()
    except (ImportError, RuntimeError) as error:  # RuntimeError: the bindings do not find the library
        reason = "this package has no compiled GPU kernels, and no NVRTC to compile them"
        raise DeviceError(f"{reason} ({error}): pip install cuda-core cuda-bindings nvidia-cuda-nvrtc") from error
    return major, minor
