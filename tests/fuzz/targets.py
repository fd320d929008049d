"""All that is fuzzed, by name. A target is imported when it is opened, as some bring whole engines along."""

from importlib import import_module
from pathlib import Path

from fuzz.target import Target

TARGETS = {
    "images": "pictures.Images",
    "png images": "pictures.PngImages",
    "deep images": "pictures.DeepImages",
    "png labels": "pictures.PngLabels",
    "npy labels": "pictures.NpyLabels",
    "csv labels": "pictures.CsvLabels",
    "bsds truths": "truths.BsdsTruths",
    "nyu truths": "truths.NyuTruths",
    "recipes": "texts.Recipes",
    "sidecars": "texts.Sidecars",
    "merging costs": "texts.MergingCosts",
    "checkpoints": "weights.Checkpoints",
    "torch files": "weights.TorchFiles",
    "torch streams": "weights.TorchStreams",
    "training states": "weights.States",
    "models, onnxruntime": "models.Models",
    "models, openvino": "models.OpenVinoModels",
    "models, build": "models.ModelFiles",
    "models, weights outside": "models.OutsideWeights",
}


def open_target(name: str, folder: Path) -> Target:
    """The target of that name, with its good files made. `folder`: an empty one."""
    module, _, kind = TARGETS[name].partition(".")
    target: Target = getattr(import_module(f"fuzz.{module}"), kind)(folder)
    return target
