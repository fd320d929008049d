"""`ainet verify`: exported models against PyTorch in float32."""

from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ainet.cli.console import errors, print_line, print_rows
from ainet.cli.options import BSDS_HELP, needs
from ainet.errors import DeviceError, ModelError, UsageError
from ainet.files import write_json
from ainet.models import ENGINE, ONNX, Device, checkpoint_path, model_path, unknown_name
from ainet.runtime.plan import check_count

if TYPE_CHECKING:
    from ainet.benchmarks.parity.compare import Candidate, Row
    from ainet.runtime.backends import Backend

DEVICES = {ONNX: ("cpu", "openvino", "cuda"), ENGINE: ("tensorrt",)}  # tried by default


def verify(
    models: Annotated[
        list[Path], typer.Argument(help="Exported models of one checkpoint, .onnx or .engine; or bundled ones by name.", show_default=False)
    ],
    images: Annotated[Path, typer.Option(help="Folder of images to compare the networks' outputs on.", show_default=False)],
    against: Annotated[Path | None, typer.Option(help="The models' checkpoint. Default: the bundled weights of their network.")] = None,
    bsds: Annotated[Path | None, typer.Option(help=f"{BSDS_HELP} Compares ASA, BR, BP and CO.", show_default=False)] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="cpu, openvino, cuda, cuda:N or tensorrt; repeat for more. Default: all that work.")
    ] = None,
    n_segments: Annotated[int, typer.Option("-n", "--n-segments", help="About how many superpixels.")] = 600,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many images of the folder, and of BSDS500 val.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write the figures to this file.")] = None,
) -> None:
    """Compare exported models with PyTorch in float32, device by device; exit code 1 if one is out of its bounds."""
    from ainet.folders import image_files
    from ainet.images import read_image

    check_count(n_segments)
    files = [model_path(model, Device("auto")) for model in models]
    for error in (unknown_name(file, "model") for file in files):
        if error is not None:
            raise error
    paths = image_files(images, print_line)[:limit]
    with needs("verifying", "train,bench"):
        from ainet.benchmarks.parity.compare import Candidate, compare_models
        from ainet.training.datasets import bsds500
    samples = bsds500(bsds, "val")[:limit] if bsds is not None else []
    with ExitStack() as opened:
        candidates = [Candidate(file.name, backend) for file in files for backend in _open(file, device, opened)]
        reference = _reference(candidates, against, opened)
        with errors.status(f"comparing with {reference.name}"):
            rows = compare_models(reference, candidates, ((path, read_image(path)) for path in paths), samples, n_segments)
    _print(rows)
    passed = not any(row.failures for row in rows)
    print_line(f"{'passed' if passed else 'failed'}: {len(paths)} images, {len(samples)} of BSDS500 val, {n_segments} superpixels")
    if json is not None:
        _write(json, rows, reference, len(paths), len(samples), n_segments)
    if not passed:
        raise typer.Exit(1)


def _open(model: Path, devices: list[str] | None, opened: ExitStack) -> "list[Backend]":
    """The model on each of `devices`, by default on all that work; `opened` will close them."""
    from ainet.runtime.backends import open_backend

    backends = []
    for device in dict.fromkeys(devices or DEVICES.get(model.suffix, ("auto",))):
        if Device.parse(device).engine == "torch":
            raise UsageError(f"device '{device}' is what models are compared with; choose cpu, openvino, cuda, cuda:N or tensorrt")
        try:
            backends.append(opened.enter_context(closing(open_backend(model, device))))
        except DeviceError:
            if devices:
                raise
    if not backends:
        raise DeviceError(f"no device works here for {model}; see what is missing with: ainet doctor")
    return backends


def _reference(candidates: "list[Candidate]", against: Path | None, opened: ExitStack) -> "Backend":
    """PyTorch in float32 on the CPU, with the checkpoint that all candidates were exported from; `opened` will close it."""
    from ainet.torch_backend import open_torch

    checkpoint = checkpoint_path(candidates[0].backend.info.network if against is None else against)
    reference = opened.enter_context(closing(open_torch(checkpoint)))
    for candidate in candidates:
        made_from, here = candidate.backend.info, reference.info
        if made_from.checkpoint_sha256 != here.checkpoint_sha256:
            raise ModelError(
                f"{candidate.model} ({made_from.network}) was exported from another checkpoint than {checkpoint} ({here.network}): "
                f"its SHA-256 is {made_from.checkpoint_sha256[:12]}..., not {here.checkpoint_sha256[:12]}...; "
                "name the right one with --against"
            )
    return reference


def _print(rows: "list[Row]") -> None:
    from ainet.export.agreement import METRICS

    table = [("model", "precision", "output", "device", "arg-max", "Q", "NaN", *(name.upper() for name in METRICS), "result")]
    for row in rows:
        q = "-" if row.q is None else f"{row.q:.1g}"
        metrics = [f"{row.differences[name]:+.5f}" if row.differences else "-" for name in METRICS]
        result = f"FAIL: {', '.join(row.failures)}" if row.failures else "pass"
        table.append((row.model, row.precision, row.output, row.device, f"{row.argmax:.3%}", q, str(row.nan), *metrics, result))
    for precision, bounds in {row.precision: row.bounds for row in rows}.items():
        q = "-" if bounds.q is None else f"<={bounds.q:g}"
        metrics = [f"+-{getattr(bounds, name):g}" for name in METRICS]
        table.append(("bounds", precision, "", "", f">={bounds.argmax:.2%}", q, "0", *metrics, ""))
    print_rows(table)


def _write(path: Path, rows: "list[Row]", reference: "Backend", images: int, bsds_images: int, n_segments: int) -> None:
    facts = {
        "network": reference.info.network,
        "checkpoint_sha256": reference.info.checkpoint_sha256,
        "superpixels": n_segments,
        "images": images,
        "bsds_images": bsds_images,
        "bounds": {row.precision: asdict(row.bounds) for row in rows},
    }
    write_json(path, {**facts, "rows": [asdict(row) for row in rows]})
