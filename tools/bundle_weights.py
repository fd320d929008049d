"""Writes the weights that the package ships, in its folder, from checkpoints: one copy of each kernel, in half precision.

python tools/bundle_weights.py runs/ainet/weights.safetensors runs/scn/weights.safetensors
"""

import sys
from pathlib import Path

from ainet.export.bundle import save_bundle
from ainet.training.checkpoint import load_checkpoint

FOLDER = Path(__file__).parents[1] / "ainet/weights"

for argument in sys.argv[1:]:
    shipped = save_bundle(load_checkpoint(argument), FOLDER)
    sizes = {path.name: path.stat().st_size for path in FOLDER.glob(f"{shipped.name}.*")}
    print(", ".join(f"{name} {size / 1e6:.2f} MB" for name, size in sorted(sizes.items())))
