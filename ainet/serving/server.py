"""Triton's server, as it comes with nvidia-pytriton, around a Segmenter or a model repository.

    write_repository(folder, "ainet", device="auto")
    with running_server(folder, "127.0.0.1", Ports(8000, 8001, 8002)) as server:
        server.wait()

nvidia-pytriton's own way of binding a Python function is not used: it answers one bad request with an error for all requests of its batch.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from ainet.errors import AINetError, DeviceError, UsageError
from ainet.models import absolute_model
from ainet.segmenter import Segmenter

BACKENDS = Path(__file__).parent / "backends"
START_SECONDS = 120
STOP_SECONDS = 30  # for the requests in flight
INSTALL = "make an environment of its own, and in the toolkit's folder: pip install '.[serve,cpu]'"

CONFIG = """\
name: "{name}"
backend: "ainet_segmenter"
max_batch_size: {max_batch}
input [
  {{ name: "image" data_type: TYPE_UINT8 dims: [ -1, -1, 3 ] optional: true }},
  {{ name: "file" data_type: TYPE_STRING dims: [ 1 ] optional: true }},
  {{ name: "n_segments" data_type: TYPE_INT32 dims: [ 1 ] optional: true }}
]
output [ {{ name: "labels" data_type: TYPE_INT32 dims: [ -1, -1 ] }} ]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]  # Triton places nothing: the device is the Segmenter's
dynamic_batching {{ default_queue_policy {{ max_queue_size: {queue} }} }}
parameters {{ key: "model" value {{ string_value: {model} }} }}
parameters {{ key: "device" value {{ string_value: {device} }} }}
"""


class ServerError(AINetError):
    """The server does not start, or has ended by itself."""


@dataclass(frozen=True)
class Ports:
    """Of HTTP, gRPC and metrics."""

    http: int
    grpc: int
    metrics: int


def check_environment() -> None:
    """Raise `DeviceError` unless this Python can run the server."""
    if importlib.util.find_spec("pytriton") is None:
        raise DeviceError(f"serving needs the package nvidia-pytriton; {INSTALL}")
    if int(version("numpy").split(".")[0]) >= 2:
        raise DeviceError(
            f"serving needs numpy 1, and numpy {version('numpy')} is installed here: with it nvidia-pytriton answers every request with "
            f"empty arrays; {INSTALL}"
        )


def write_repository(folder: Path, model: str, device: str, max_batch: int = 8, queue: int = 64) -> str:
    """Describe a model to Triton in the new folder `folder`; gives its name there.

    `model`, `device`: as for `Segmenter.load`, which is tried here, and whose errors this raises. `max_batch`: images that run together at
    most. `queue`: requests that wait at most; more are refused.
    """
    with Segmenter.load(model, device) as segmenter:
        name = segmenter.info.network
    path = json.dumps(absolute_model(model))
    config = CONFIG.format(name=name, model=path, device=json.dumps(device), max_batch=max_batch, queue=queue)
    (folder / name / "1").mkdir(parents=True)
    (folder / name / "config.pbtxt").write_text(config, encoding="utf-8")
    return name


@contextlib.contextmanager
def running_server(repository: Path, host: str, ports: Ports) -> Iterator["subprocess.Popen[bytes]"]:
    """Start Triton's server on a model repository and wait until its models are ready; at the end it answers what is in flight and stops.

    Raises:
        DeviceError: see `check_environment`.
        UsageError: two ports are one; the folder holds no model.
        ServerError: a port is taken; the server ends before it is ready, or is not ready in time.
    """
    if len({ports.http, ports.grpc, ports.metrics}) < 3:
        raise UsageError("HTTP, gRPC and metrics need three ports: choose others with --http, --grpc or --metrics")
    for port in (ports.http, ports.grpc, ports.metrics):
        _check_port(host, port)
    if not any(repository.glob("*/config.pbtxt")):
        raise UsageError(f"{repository} is no model repository of Triton; make one with: ainet export --triton {repository}")
    check_environment()
    with tempfile.TemporaryDirectory(prefix="ainet-serve-") as scratch:
        backends, log = Path(scratch, "backends"), Path(scratch, "log")
        environment = _prepare(backends)
        command = [
            str(_package() / "tritonserver/bin/tritonserver"),
            f"--model-repository={repository.resolve()}",
            f"--backend-directory={backends}",
            *(f"--{protocol}-address={host}" for protocol in ("http", "grpc", "metrics")),
            f"--http-port={ports.http}",
            f"--grpc-port={ports.grpc}",
            f"--metrics-port={ports.metrics}",
            f"--exit-timeout-secs={STOP_SECONDS}",
            "--log-info=false",
            "--allow-gpu-metrics=false",
        ]
        with log.open("wb") as errors:
            # A session of its own: Ctrl-C reaches the server through us alone, once, and its helpers end with it. A folder of its own:
            # its helpers look for Python modules where they start.
            server = subprocess.Popen(command, env=environment, cwd=scratch, stdout=errors, stderr=errors, start_new_session=True)
        try:
            _wait_until_ready(server, host, ports.http, log)
            yield server
            if server.poll() is not None:
                raise ServerError(f"the server has ended by itself, exit code {server.returncode}: {_last_words(log)}")
        finally:
            _stop(server)


def _check_port(host: str, port: int) -> None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        raise ServerError(
            f"cannot listen at {host}:{port}: {error.strerror}; choose another port with --http, --grpc or --metrics"
        ) from error


def _package() -> Path:
    spec = importlib.util.find_spec("pytriton")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _prepare(backends: Path) -> dict[str, str]:
    """Lay out the folder of backends: Triton's python backend with the stub of this Python, and ours; gives the environment."""
    package = _package()
    shutil.copytree(package / "tritonserver/backends/python", backends / "python")
    stub = package / f"tritonserver/python_backend_stubs/{sys.version_info[0]}.{sys.version_info[1]}/triton_python_backend_stub"
    shutil.copy(stub, backends / "python")
    for backend in BACKENDS.iterdir():
        (backends / backend.name).symlink_to(backend)
    libraries = [
        str(package.parent / "nvidia_pytriton.libs"),
        str(sysconfig.get_config_var("LIBDIR")),
        os.environ.get("LD_LIBRARY_PATH", ""),
    ]
    return {
        **os.environ,
        "PATH": f"{Path(sys.prefix, 'bin')}:{os.environ.get('PATH', '')}",  # by which the stub finds this environment's packages
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
    }


def _wait_until_ready(server: "subprocess.Popen[bytes]", host: str, port: int, log: Path) -> None:
    local = "127.0.0.1" if host == "0.0.0.0" else host
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if server.poll() is not None:
            raise ServerError(f"the server does not start, exit code {server.returncode}: {_last_words(log)}")
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{local}:{port}/v2/health/ready", timeout=5):
            return
        time.sleep(0.1)
    raise ServerError(f"the server is not ready after {START_SECONDS} seconds: {_last_words(log)}")


def _last_words(log: Path) -> str:
    """The last error that the server wrote."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line.partition("] ")[2] or line for line in lines if line.startswith("E")]
    return " ".join((errors or lines)[-1:]) or "it wrote nothing"


def _stop(server: "subprocess.Popen[bytes]") -> None:
    if server.poll() is None:
        server.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS + 5)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)  # what is left of it and of its helpers
    server.wait()
