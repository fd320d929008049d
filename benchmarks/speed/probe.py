"""One call of a method in a process of its own: its time and memory, and whether the machine can run it at all."""

import multiprocessing
import re
import subprocess
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ainet.benchmarks.peers import Options, on_gpu, open_method
from ainet.benchmarks.speed.clock import alternate
from ainet.errors import AINetError, DeviceError

MIB = 2**20


@dataclass(frozen=True)
class Probe:
    """Of a first call: seconds, and MiB of memory (None where the system does not tell).

    `loaded_mib`: resident once the method is open; `peak_mib`: highest until the call is done; `gpu_mib`: what open and call have allocated
    on the GPUs and not released (engines keep their highest).
    """

    seconds: float
    loaded_mib: float | None
    peak_mib: float | None
    gpu_mib: float | None


def probe(name: str, options: Options, image: NDArray[np.uint8], n_segments: int) -> Probe:
    """Open a method in a fresh process and call it once.

    Raises:
        DeviceError: the process was killed, as the system does with one that takes too much memory.
        AINetError: what the method raised.
    """
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(_probe, name, options, image, n_segments).result()
    except BrokenProcessPool as error:
        raise DeviceError("its process was killed, as for want of memory") from error


def available_mib() -> float | None:
    """Memory that a process could still take, in MiB; None where the system does not tell."""
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable")


def _probe(name: str, options: Options, image: NDArray[np.uint8], n_segments: int) -> Probe:
    free_before = _gpu_free_mib() if on_gpu(name, options) else None
    method = open_method(name, options)
    loaded = _kilobytes(Path("/proc/self/status"), "VmRSS")
    try:
        times = alternate({name: lambda: method(image, n_segments)}, repeats=1, warm_up=0)
    except AINetError:
        raise
    except Exception as error:  # MemoryError, or an engine's own word for it
        raise DeviceError(f"{type(error).__name__}: {' '.join(str(error).split())[:200]}") from error
    peak = _kilobytes(Path("/proc/self/status"), "VmHWM")  # of this program alone; getrusage would count the parent's from before exec
    free_after = None if free_before is None else _gpu_free_mib()
    gpu = None if free_before is None or free_after is None else free_before - free_after
    return Probe(times[name].median, loaded, peak, gpu)


def _kilobytes(path: Path, field: str) -> float | None:
    """A field of a file of /proc in kB, as MiB."""
    try:
        found = re.search(rf"^{field}:\s+(\d+) kB", path.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 / MIB if found else None


def _gpu_free_mib() -> float | None:
    """Free memory of all GPUs; None without an NVIDIA driver."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        return sum(map(float, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()))
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
