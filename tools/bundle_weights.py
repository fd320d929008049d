"""Writes the weights that the package ships, in its folder.

python tools/bundle_weights.py --bsds BSDS500/data runs/ainet/weights.safetensors runs/scn/weights.safetensors
python tools/bundle_weights.py --bsds BSDS500/data ainet scn

From a checkpoint: one copy of each kernel, in half precision (see `ainet.export.bundle`), and then, from these, the INT8 model, as
`ainet calibrate` makes it of the images of BSDS500 train. For a name, the INT8 model alone, from the shipped weights. Equal weights give
equal files, byte for byte, on equal processors.
"""

import argparse
from pathlib import Path

from ainet.calibration import DEFAULT_COUNT
from ainet.calibration.images import choose_images
from ainet.calibration.quantise import Calibration, exported, save_model
from ainet.calibration.score import scored_images_of_bsds
from ainet.calibration.sensitivity import keep_boundaries
from ainet.export.bundle import save_bundle
from ainet.models import BUNDLED, CHECKPOINT, INT8
from ainet.training.checkpoint import load_checkpoint
from ainet.training.datasets import bsds500

FOLDER = Path(__file__).parents[1] / "ainet/weights"


def write_int8(name: str, bsds: Path, folder: Path) -> None:
    """Calibrate the network NAME.safetensors of `folder` into NAME-int8.onnx beside it."""
    images = choose_images([sample.image_path for sample in bsds500(bsds, "train")], DEFAULT_COUNT)
    calibration = Calibration(exported(load_checkpoint(folder / (name + CHECKPOINT))), images)
    found = keep_boundaries(calibration, *scored_images_of_bsds(bsds))
    save_model(calibration.model(found.layers), folder / (name + INT8))
    print(f"{name}{INT8}: {', '.join(found.layers) or 'no layer'} in float; {found.agreement}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", help=f"a checkpoint; or {' or '.join(BUNDLED)}")
    parser.add_argument("--bsds", type=Path, required=True, help="folder with BSDS500's images/ and groundTruth/")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    for weights in arguments.weights:
        name = weights if weights in BUNDLED else save_bundle(load_checkpoint(weights), arguments.folder).name
        write_int8(name, arguments.bsds, arguments.folder)
    sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(arguments.folder.glob("*.*")) if path.suffix != ".md"}
    print(", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()), f"; {sum(sizes.values()):.1f} MB in all")


if __name__ == "__main__":
    main()
