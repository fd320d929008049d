"""Exported models, on each engine of the CPU."""

from pathlib import Path

import numpy as np
import onnx

from ainet import Segmenter
from ainet.export.model_file import read_model
from fuzz.graph_damage import damaged_graph, damaged_places
from fuzz.graphs import labels_model, logits_model
from fuzz.mutations import damaged
from fuzz.target import Target

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)


class Models(Target):
    file_name = "file.onnx"
    damages = (damaged, damaged_graph, damaged_graph)
    device = "cpu"

    def seeds(self) -> list[bytes]:
        return [logits_model(), logits_model(quantised=True), labels_model()]

    def read(self, path: Path) -> None:
        with Segmenter.load(path, self.device, threads=1) as segmenter:
            labels = segmenter(IMAGE, 6, quality="fast")
        assert labels.shape == IMAGE.shape[:2]
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))


class OpenVinoModels(Models):
    device = "openvino"


class ModelFiles(Models):
    """As they are built into engines."""

    def read(self, path: Path) -> None:
        read_model(path)


class OutsideWeights(Models):
    """A graph whose weights lie in a file beside it."""

    damages = (damaged_places,)

    def seeds(self) -> list[bytes]:
        whole, file = onnx.load_model_from_string(logits_model()), self.folder / self.file_name
        onnx.save(whole, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
        return [file.read_bytes()]
