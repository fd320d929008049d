"""fast-slic: SLIC made for speed, with integer arithmetic, Manhattan distances and sub-sampled rows (the package `fast-slic`).

It runs its code for AVX2 or NEON where the package was built with it, and on one thread: two are slower on images of this size, and its
OpenMP spins while it waits. Its own removal of small pieces is left out for the public protocol's connectivity, as of the other methods.
"""

from importlib import import_module
from importlib.metadata import version
from typing import Any

from ainet.benchmarks.peers.base import Method, Options
from ainet.benchmarks.peers.peer import Image, Labels, Peer, connect
from ainet.benchmarks.speed.clock import Stages
from ainet.errors import UsageError

ITERATIONS = 10
MOST = 65_534  # superpixels; it numbers them in 16 bits
COMPACTNESS = 10.0  # the best of a sweep, see `sweep`


def open_method(name: str, options: Options, compactness: float = COMPACTNESS) -> Method:
    architecture, slic = _fastest()

    def segment(image: Image, n_segments: int, stages: Stages) -> Labels:
        if n_segments > MOST:
            raise UsageError(f"fast-slic makes at most {MOST} superpixels, not {n_segments}; ask for fewer")
        with stages("assignment"):
            method = slic(num_components=n_segments, compactness=compactness, min_size_factor=0, num_threads=1)
            labels = method.iterate(image, ITERATIONS)
        with stages("connectivity"):
            return connect(labels, n_segments)

    source = {"fast-slic": version("fast-slic"), "architecture": architecture, "iterations": ITERATIONS, "threads": 1}
    return Peer(name, {"compactness": compactness, **source}, segment)


def _fastest() -> tuple[str, Any]:
    """The architecture that its quickest code here is for, and the class that runs it."""
    import fast_slic

    for architecture, module, name in (("x64/avx2", "avx2", "SlicAvx2"), ("arm/neon", "neon", "SlicNeon")):
        if architecture in fast_slic.supported_archs:
            return architecture, getattr(import_module(f"fast_slic.{module}"), name)
    return "standard", fast_slic.Slic
