"""`ainet serve` in a process of its own, by the Python of an environment with the extra [serve]."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.paths import ROOT

PYTHON = Path(os.environ.get("AINET_SERVE_PYTHON", ROOT / ".venv-serve/bin/python"))
needs_triton = pytest.mark.skipif(
    not PYTHON.exists(),
    reason="no environment with the extra [serve]: make .venv-serve, or name its Python in AINET_SERVE_PYTHON",
)


@dataclass
class Server:
    process: "subprocess.Popen[str]"
    http: str
    grpc: str
    metrics: str

    def stop(self) -> int:
        """SIGTERM, as a service manager sends it; gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


@contextlib.contextmanager
def serving(*arguments: object, folder: Path, ports: Sequence[int] = ()) -> Iterator[Server]:
    """Run `ainet serve ARGUMENTS...` in `folder` until the end of the block. ports: of HTTP, gRPC and metrics; else any free ones."""
    http, grpc, metrics = ports or free_ports(3)
    command = [PYTHON, "-P", "-m", "ainet", "serve", *arguments, "--http", http, "--grpc", grpc, "--metrics", metrics]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert f"http://127.0.0.1:{http}" in line, process.stderr.read()
        yield Server(process, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", f"127.0.0.1:{metrics}")
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=60)
