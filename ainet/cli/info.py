"""`ainet info`: what a model file holds."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ainet.cli.console import print_rows
from ainet.cli.options import read_checkpoint
from ainet.models import BUNDLED, ENGINE, ONNX, Device, model_path


def info(
    model: Annotated[
        Path, typer.Argument(help=f"ONNX file, engine or checkpoint; or {', '.join(BUNDLED)}, the bundled ones.", show_default=False)
    ],
) -> None:
    """Say what a model file holds."""
    print_rows([(key, str(value)) for key, value in _describe(model_path(model, Device("auto"))).items()])


def _describe(model: Path) -> dict[str, Any]:
    if model.suffix.lower() == ENGINE:
        from ainet.runtime.engine_file import EngineInfo

        return {"file": model, "kind": "TensorRT engine", **asdict(EngineInfo.load(model))}
    if model.suffix.lower() == ONNX:
        from ainet.runtime.backends import open_backend

        backend = open_backend(model)
        cost = getattr(backend, "merge_model", None)  # of engines that give a border map
        merging = "by a cost of the image alone" if cost is None else f"by a cost of its own, on a border map of {cost.channels} channels"
        entries = asdict(backend.info)
        provenance = {f"checkpoint {key}": value for key, value in entries.pop("checkpoint").items()}
        return {"file": model, "kind": "ONNX model", **entries, "merging": merging, **provenance}
    loaded = read_checkpoint(model)
    parameters = sum(parameter.numel() for parameter in loaded.network.parameters())
    return {"file": model, "kind": "checkpoint", **loaded.config, "parameters": f"{parameters:,}", "sha256": loaded.sha256}
