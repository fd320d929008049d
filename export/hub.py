"""A network in the layout of the Hugging Face Hub, in a folder; nothing is uploaded.

    write_hub(load_checkpoint("ainet.safetensors"), "ainet-hub", int8="ainet-int8.onnx")

writes config.json, README.md (the model card), onnx/model.onnx, onnx/model_fp16.onnx, and onnx/model_int8.onnx where one is named. These
are the names that onnxruntime's and transformers.js's users look for.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import onnx

import ainet
from ainet.errors import ModelError
from ainet.export.model_file import read_model
from ainet.export.onnx import export_onnx
from ainet.files import atomic_folder, write_json
from ainet.runtime.merging import BORDER_MAP
from ainet.runtime.model import Output
from ainet.spec import CELL_SIZE, MEAN, NEIGHBOURS
from ainet.training.checkpoint import Checkpoint

FILES = {"fp32": "onnx/model.onnx", "fp16": "onnx/model_fp16.onnx", "int8": "onnx/model_int8.onnx"}
INPUTS = {
    "logits": "RGB float32 (N, 3, H, W), in [0, 1] minus the mean of config.json",
    "association": "RGB float32 (N, 3, H, W), in [0, 1] minus the mean of config.json",
    "labels": "RGB uint8 (N, H, W, 3)",
}
FORMS = {
    "logits": {"input_type": "float32", "input_layout": "NCHW"},
    "association": {"input_type": "float32", "input_layout": "NCHW"},
    "labels": {"input_type": "uint8", "input_layout": "NHWC"},
}
ANSWERS = {
    "logits": f"float32 (N, {NEIGHBOURS}, H, W), for each pixel a score of each of the {NEIGHBOURS} grid cells around it",
    "association": f"float32 (N, {NEIGHBOURS}, H, W), for each pixel the probability of each of the {NEIGHBOURS} grid cells around it",
    "labels": "int32 (N, H, W), the grid cell that each pixel belongs to",
}
BORDERS = """\
Output `border_map`, of {files}: float32 (N, H/2, W/2, {channels}), on which the toolkit merges superpixels to an exact count.
"""
BUNDLED_TERMS = """\
The weights were trained on BSDS500 (Arbelaez, Maire, Fowlkes, Malik, 2011), whose images are for non-commercial research and education; use
them likewise. They have seen a tenth of the crops of the paper's schedule, or less."""
OTHER_TERMS = """\
**To be filled in by whoever publishes this folder:** the weights have the terms of the images and annotations that they were trained on."""

CARD = """\
---
license: other
license_name: see-terms
license_link: README.md
library_name: onnx
pipeline_tag: image-segmentation
tags:
- superpixels
- onnx
---
# {name}: superpixels

Lays a grid of cells, {cell} x {cell} pixels each, over the image and predicts, for every pixel, how strongly it belongs to each of the
{neighbours} cells around it.

| file | precision | MB |
|---|---|---|
{files}

Input `image`: {input}. H and W are multiples of {cell}.
Output `{output}`: {answer}.
{border_map}
With the AINet toolkit, which brings a photo to its working size, and connects and renumbers the superpixels:

```python
import ainet

with ainet.Segmenter.load("onnx/model.onnx") as segmenter:
    labels = segmenter(ainet.read_image("photo.jpg"), n_segments=600)  # (H, W) int32, 0..K-1
```

## Terms

{terms}
"""


def write_hub(
    checkpoint: Checkpoint,
    folder: str | os.PathLike[str],
    output: Output = "logits",
    int8: str | os.PathLike[str] | None = None,
    bundled: bool = False,
) -> list[Path]:
    """Write the checkpoint's network as a new folder, whole or not at all; gives the model files.

    Args:
        output: of the graphs, as for `export_onnx`, which checks each against PyTorch.
        int8: an INT8 model of the same checkpoint and output, made by `ainet calibrate`; it is copied.
        bundled: these are the toolkit's own weights, whose terms then stand in the card.

    Raises:
        ModelError: `int8` cannot be read, or is no INT8 model of this checkpoint with this output.
        OutputError: the folder is there already, or cannot be written.
        UsageError: unknown `output`.
    """
    if int8 is not None:
        _check_int8(Path(int8), checkpoint, output)
    with atomic_folder(folder) as temporary:
        (temporary / "onnx").mkdir()
        border_map = output != "labels" and checkpoint.has_border_map
        export_onnx(checkpoint, temporary / FILES["fp32"], "fp32", output, border_map=border_map)
        export_onnx(checkpoint, temporary / FILES["fp16"], "fp16", output, border_map=border_map)
        if int8 is not None:
            shutil.copyfile(int8, temporary / FILES["int8"])
        megabytes = {name: (temporary / name).stat().st_size / 1e6 for name in FILES.values() if (temporary / name).exists()}
        write_json(temporary / "config.json", _config(checkpoint, output, megabytes))
        card = CARD.format(
            name=checkpoint.name,
            neighbours=NEIGHBOURS,
            cell=CELL_SIZE,
            files="\n".join(f"| `{FILES[key]}` | {key} | {megabytes[FILES[key]]:.1f} |" for key in FILES if FILES[key] in megabytes),
            input=INPUTS[output],
            output=output,
            answer=ANSWERS[output],
            border_map=_borders(temporary, megabytes),
            terms=BUNDLED_TERMS if bundled else OTHER_TERMS,
        )
        (temporary / "README.md").write_text(card, encoding="utf-8")
    return [Path(folder) / name for name in megabytes]


def _check_int8(path: Path, checkpoint: Checkpoint, output: Output) -> None:
    _, info = read_model(path)
    found = {"precision": info.precision, "output": info.output, "checkpoint_sha256": info.checkpoint_sha256}
    wanted = {"precision": "int8", "output": output, "checkpoint_sha256": checkpoint.sha256}
    different = [f"{key} is {found[key]!r} there and {wanted[key]!r} here" for key in wanted if found[key] != wanted[key]]
    if different:
        raise ModelError(f"{path} is of another model: {', '.join(different)}; make it with ainet calibrate from this checkpoint")


def _borders(folder: Path, files: Collection[str]) -> str:
    """The card's line about border maps, which the INT8 model may have alone; empty where no file has one."""
    channels = {}
    for name in files:
        for value in onnx.load(folder / name, load_external_data=False).graph.output:
            if value.name == BORDER_MAP:
                channels[name] = value.type.tensor_type.shape.dim[3].dim_value
    if not channels:
        return ""
    return BORDERS.format(files=", ".join(f"`{name}`" for name in channels), channels=max(channels.values()))


def _config(checkpoint: Checkpoint, output: Output, files: Collection[str]) -> dict[str, Any]:
    """What a program must know to feed the models; `labels` takes pixels as they are, the others these scaled and less the mean."""
    scaling = {} if output == "labels" else {"image_mean": list(MEAN), "image_std": [1.0, 1.0, 1.0], "rescale_factor": 1 / 255}
    return {
        "model_type": "ainet-superpixels",
        "network": checkpoint.name,
        "output": output,
        "cell_size": CELL_SIZE,
        "neighbours": NEIGHBOURS,
        **FORMS[output],
        **scaling,
        "files": {precision: name for precision, name in FILES.items() if name in files},
        "checkpoint": checkpoint.config,
        "checkpoint_sha256": checkpoint.sha256,
        "tool_version": ainet.__version__,
    }
