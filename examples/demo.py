"""The main job from end to end: weights -> ONNX -> (engine) -> superpixels of photos, checked against PyTorch.

python examples/demo.py --out demo-output
"""

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

import ainet
from ainet.errors import DeviceError
from ainet.export.engine import build_engine
from ainet.export.onnx import export_onnx
from ainet.export.profiles import DEFAULT_SIZES
from ainet.metrics import achievable_segmentation_accuracy
from ainet.models import bundled_checkpoint
from ainet.training.checkpoint import load_checkpoint

N_SEGMENTS = 600
PHOTOS = Path(__file__).parent / "photos"
console = Console(highlight=False)


def main(out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = bundled_checkpoint()
    model = out / f"{checkpoint.stem}.onnx"
    console.print(f"[bold]1.[/] exporting the bundled weights to {model}, checked against PyTorch")
    export_onnx(load_checkpoint(checkpoint), model, border_map=True)  # with what the merge to exact counts looks at
    console.print("[bold]2.[/] building a TensorRT engine")
    console.print(f"   {build(model, model.with_suffix('.engine'))}")
    photos = sorted(PHOTOS.glob("*.jpg"))
    table = Table("photo", "size", "superpixels", "ms", "equal to PyTorch", title=f"{N_SEGMENTS} superpixels each")
    worst = 1.0
    with ainet.Segmenter.load(model) as segmenter, ainet.Segmenter.load(checkpoint, device="torch") as reference:
        console.print(f"[bold]3.[/] segmenting {len(photos)} photos on {segmenter.device}, comparing with {reference.device}")
        for photo in photos:
            image = ainet.read_image(photo)
            segmenter(image, N_SEGMENTS)  # warm-up: the first run of a size prepares the engine
            start = time.perf_counter()
            labels = segmenter(image, N_SEGMENTS)
            milliseconds = (time.perf_counter() - start) * 1e3
            # Pixels in the same region: the numbers of the regions shift wherever one of them begins a pixel earlier.
            equal = achievable_segmentation_accuracy(labels, reference(image, N_SEGMENTS))
            worst = min(worst, equal)
            np.save(out / f"{photo.stem}.npy", labels)
            cv2.imwrite(str(out / f"{photo.stem}_overlay.png"), ainet.overlay(image, labels)[:, :, ::-1])
            size = f"{image.shape[0]}x{image.shape[1]}"
            table.add_row(photo.name, size, str(labels.max() + 1), f"{milliseconds:.0f}", f"{equal:.2%}")
    console.print(table)
    if worst < 0.999:
        console.print(f"[red]failed:[/] only {worst:.2%} of a photo's pixels are in the same region as with PyTorch")
        return 1
    console.print(f"[green]done:[/] label maps and overlays are in {out}/")
    return 0


def build(model: Path, engine: Path) -> str:
    """Build where a TensorRT package is installed; say what came of it."""
    try:
        info = build_engine(model, engine, DEFAULT_SIZES)
    except DeviceError as error:
        return f"skipped: {error}"
    return f"{engine}: {info.package} {info.version}, {engine.stat().st_size / 1e6:.1f} MB"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo-output"))
    sys.exit(main(parser.parse_args().out))
