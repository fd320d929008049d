"""Checkpoints and training states."""

import argparse
import io
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ainet.training.checkpoint import load_checkpoint, save_checkpoint
from ainet.training.merging.model import MergeNetwork
from ainet.training.networks import build
from ainet.training.recipe import Recipe
from ainet.training.state import STATE
from ainet.training.trainer import Trainer
from fuzz.containers import damaged_safetensors, damaged_zip
from fuzz.mutations import damaged
from fuzz.target import Target

HEAD = 20_000  # bytes of a file, in which the pickle or the header stands


def damaged_head(data: bytes, random: Random) -> bytes:
    return damaged(data, random, HEAD)


class TorchFiles(Target):
    """Checkpoints of others: zip archives, and streams of before PyTorch 1.6."""

    file_name = "file.pth"
    damages = (damaged, damaged_head, damaged_zip)

    def seeds(self) -> list[bytes]:
        state = build("scn").state_dict()
        inside = {f"module.{key}": value for key, value in state.items()}
        content = {"state_dict": inside, "epoch": 3, "args": argparse.Namespace(lr=1e-4), "best": np.float64(0.9)}
        return [_saved(state), _saved(content)]

    def read(self, path: Path) -> None:
        load_checkpoint(path)


class TorchStreams(TorchFiles):
    damages = (damaged, damaged_head, damaged_head)

    def seeds(self) -> list[bytes]:
        return [_saved({"state_dict": build("scn").state_dict()}, _use_new_zipfile_serialization=False)]


class Checkpoints(TorchFiles):
    """The toolkit's own, with the network for merging."""

    file_name = "file.safetensors"
    damages = (damaged, damaged_head, damaged_safetensors, damaged_safetensors)

    def seeds(self) -> list[bytes]:
        file = self.folder / "seed.safetensors"
        save_checkpoint(file, build("scn"), {"network": "scn", "recipe": {"lr": 1e-4}}, MergeNetwork())
        return [file.read_bytes()]


class States(Target):
    """What an interrupted training goes on from."""

    damages = (damaged, damaged_head, damaged_zip, damaged_zip, damaged_zip)
    file_name = STATE
    recipe = Recipe("tiny", iterations=2, batch_size=1, lr=1e-3, crop=32)

    def seeds(self) -> list[bytes]:
        trainer = Trainer("ssn", self.recipe, [Squares()], self.folder)
        trainer.step()
        trainer.save()
        return [(self.folder / STATE).read_bytes()]

    def read(self, path: Path) -> None:
        Trainer("ssn", self.recipe, [Squares()], path.parent).step()


class Squares:
    """A sample: a square on a ground."""

    image_id = "squares"

    def segmentations(self) -> list[NDArray[np.uint16]]:
        labels = np.zeros((40, 48), np.uint16)
        labels[8:24, 8:24] = 1
        return [labels]

    def image(self) -> NDArray[np.uint8]:
        return np.repeat(self.segmentations()[0][:, :, None].astype(np.uint8) * 200, 3, 2)


def _saved(content: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream, **options)
    return stream.getvalue()
