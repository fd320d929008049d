"""An NVIDIA GPU, emulated on the CPU: see README.md beside this file.

library = build(folder)        # compiles the kernels of this project into a libcuda.so.1; cached by its sources
emulator = load(library)       # in a process of its own, before anything asks for CUDA
emulator.fail_launch(after=3)
"""

import ctypes
import hashlib
import os
import subprocess
from pathlib import Path

from support.paths import ROOT

HERE = Path(__file__).parent
KERNELS = ROOT / "runtime" / "native" / "device"
VARIABLE = "AINET_CUDA_EMULATOR"  # the library, for pytest processes with the plugin


def build(folder: Path, kernels: Path = KERNELS) -> Path:
    """Compile the driver with the kernels of the folder `kernels`, unless `folder` has it already; some seconds."""
    sources = sorted([*HERE.glob("*.h"), HERE / "driver.cpp", *kernels.glob("*.cu*")])
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    library = folder / digest / "libcuda.so.1"
    if not library.is_file():
        library.parent.mkdir(parents=True, exist_ok=True)
        unfinished = library.with_suffix(f".{os.getpid()}")
        options = ["-O2", "-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", "-Wl,-soname,libcuda.so.1", "-pthread"]
        subprocess.run(["g++", *options, f"-I{kernels}", f"-I{HERE}", HERE / "driver.cpp", "-o", unfinished], check=True)
        unfinished.replace(library)
    return library


class Emulator:
    """What tests may do to the machine and ask of it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        for name in ("used", "allocations", "streams"):
            getattr(library, f"emulator_{name}").restype = ctypes.c_uint64
        library.emulator_calls.restype = ctypes.c_int64

    def used(self) -> int:
        """Bytes of device memory."""
        return self._library.emulator_used()

    def allocations(self) -> int:
        """How many there are, of device and pinned memory."""
        return self._library.emulator_allocations()

    def streams(self) -> int:
        return self._library.emulator_streams()

    def calls(self, entry_point: str) -> int:
        """How often a function of the driver was called so far, such as "cuGraphLaunch"."""
        return self._library.emulator_calls(entry_point.encode())

    def set_capacity(self, size: int = 2**40) -> None:
        """Bytes of device memory that there are."""
        self._library.emulator_set_capacity(ctypes.c_uint64(size))

    def fail_launch(self, after: int) -> None:
        """Let one launch of a kernel fail, after so many others; -1: none."""
        self._library.emulator_fail_launch(after)

    def lose(self, lost: bool = True) -> None:
        """From now on all calls fail, as after an illegal access to memory."""
        self._library.emulator_lose(ctypes.c_bool(lost))

    def put_right(self) -> None:
        """Undo what the last three did."""
        self.lose(False)
        self.fail_launch(-1)
        self.set_capacity()


def load(library: Path) -> Emulator:
    """Make it this process's CUDA driver. Whoever loads libcuda.so.1 later gets it by its name, on a machine with a GPU too."""
    return Emulator(ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL))
