"""Our networks and their peers behind one signature; see `base`."""

from ainet.benchmarks.peers.base import Method, Options, Stages

__all__ = ["Method", "Options", "Stages"]
