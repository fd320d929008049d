"""What people have by mistake in place of the file that they mean: said for every kind of file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ainet
from ainet import Segmenter
from ainet.errors import AINetError, ImageError, ModelError
from ainet.images import read_content
from ainet.labels import read_bsds_truths, read_labels
from ainet.models import bundled

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
CONTENTS = [(b"", "is empty"), (POINTER, "git lfs pull"), (b"\n<!DOCTYPE html>\n<HTML>", "web page"), (b"<html><body>", "web page")]


def read_checkpoint(path: Path) -> object:
    pytest.importorskip("torch")
    from ainet.training.checkpoint import load_checkpoint

    return load_checkpoint(path)


KINDS = [
    ("x.onnx", Segmenter.load, ModelError),
    ("x.engine", Segmenter.load, ModelError),
    ("x.pth", read_checkpoint, ModelError),
    ("x.safetensors", read_checkpoint, ModelError),
    ("x.png", ainet.read_image, ImageError),
    ("x.npy", read_labels, ImageError),
    ("x.csv", read_labels, ImageError),
    ("x.mat", read_bsds_truths, ImageError),
]


@pytest.mark.parametrize(("content", "words"), CONTENTS)
@pytest.mark.parametrize(("name", "read", "kind"), KINDS, ids=[kind[0] for kind in KINDS])
def test_advice_for_the_mistake(
    tmp_path: Path, name: str, read: Callable[[Path], Any], kind: type[AINetError], content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match=rf"{name} is (not|no) .*: it is .*{words}|{name} is .*: it {words}"):
        read(tmp_path / name)


def test_content_without_a_file() -> None:
    with pytest.raises(ImageError, match=r"a\.jpg is not an image: it is a web page"):
        read_content(b"<html>", "a.jpg")


def test_a_model_under_another_suffix(tmp_path: Path) -> None:
    for name in ("model.bin", "model", "model.pb"):
        (tmp_path / name).write_bytes(bundled("scn.onnx").read_bytes())
        with pytest.raises(ModelError, match=rf"{name} is an ONNX file under another suffix; rename it to model\.onnx"):
            Segmenter.load(tmp_path / name)
