"""Recipes, and what is written in JSON."""

import hashlib
from pathlib import Path

import numpy as np

from ainet.models import bundled
from ainet.runtime.engine_file import EngineInfo, Profile
from ainet.runtime.merging import MergeModel, merge, region_graph
from ainet.runtime.model import ModelInfo
from ainet.spec import MEAN
from ainet.training.recipe import FOLDER, load_recipe, recipe_from_dict
from fuzz.mutations import damaged, damaged_json, damaged_text
from fuzz.pictures import LABELS
from fuzz.target import Target


class Recipes(Target):
    file_name = "file.toml"
    damages = (damaged, lambda data, random: damaged_text(data.decode(), random))

    def seeds(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(FOLDER.glob("*.toml"))]

    def read(self, path: Path) -> None:
        recipe = load_recipe(str(path))
        assert recipe_from_dict(recipe.to_dict()) == recipe
        for iteration in (0, recipe.iterations // 2, recipe.iterations - 1):
            assert recipe.lr_at(iteration) >= 0


class Json(Target):
    file_name = "file.json"
    damages = (damaged, lambda data, random: damaged_json(data.decode(), random))


class Sidecars(Json):
    """What stands beside a TensorRT engine."""

    def seeds(self) -> list[bytes]:
        model = ModelInfo("ainet", "labels", "fp16", MEAN, "a" * 64, {"epoch": 3}, "0.1.0")
        profiles = (Profile((1, 160, 160), (4, 1088, 1920)), Profile((1, 320, 480), (1, 320, 480)))
        plan = hashlib.sha256(b"").hexdigest()
        info = EngineInfo("tensorrt-rtx", "1.7.1.116", ("sm86", "sm120"), profiles, model, "b" * 64, plan, {"fp16": 40, "fp32": 3})
        return [info.to_json().encode()]

    def read(self, path: Path) -> None:
        engine = path.with_suffix("")
        engine.touch()
        info = EngineInfo.load(engine)
        info.to_json()
        info.verify(engine)
        info.check_host(engine, "tensorrt-rtx", info.version, "sm86")
        info.profile_for((1, 320, 480))


class MergingCosts(Json):
    """The cost by which superpixels merge, as a model file holds it."""

    def seeds(self) -> list[bytes]:
        return [bundled("merging.json").read_bytes()]

    def read(self, path: Path) -> None:
        model = MergeModel.from_json(path.read_bytes().decode("utf-8", "replace"), path)
        if model.channels == 0:
            merge(region_graph(LABELS, np.zeros((*LABELS.shape, 3), np.uint8)), model)
