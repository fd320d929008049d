"""`ainet serve`: a Triton server around a model."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ainet.cli.console import print_line
from ainet.cli.options import DeviceOption
from ainet.files import is_folder
from ainet.models import BUNDLED, DEFAULT


def serve(
    model: Annotated[
        str, typer.Argument(help=f"A model file, or {', '.join(BUNDLED)}, the bundled ones; or a Triton model repository (a folder).")
    ] = DEFAULT,
    device: DeviceOption = "auto",
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for all.")] = "127.0.0.1",
    http: Annotated[int, typer.Option(min=1, max=65535, help="Port of HTTP.")] = 8000,
    grpc: Annotated[int, typer.Option(min=1, max=65535, help="Port of gRPC.")] = 8001,
    metrics: Annotated[int, typer.Option(min=1, max=65535, help="Port of the metrics, as Prometheus reads them.")] = 8002,
    batch: Annotated[int, typer.Option(min=1, help="How many images run together at most.")] = 8,
    queue: Annotated[int, typer.Option(min=1, help="How many requests wait at most; more are refused.")] = 64,
) -> None:
    """Serve a model over HTTP and gRPC by Triton's protocol, until Ctrl-C or SIGTERM; what is in flight is answered first."""
    from ainet.serving.server import Ports, running_server, write_repository

    with tempfile.TemporaryDirectory() as scratch:
        if model not in BUNDLED and is_folder(model):
            repository, what = Path(model), f"the models of {model}"
        else:
            repository = Path(scratch)
            what = f"model '{write_repository(repository, model, device, batch, queue)}'"
        with running_server(repository, host, Ports(http, grpc, metrics)) as server:
            print_line(f"{what}: http://{host}:{http}, grpc at {host}:{grpc}, http://{host}:{metrics}/metrics")
            server.wait()
