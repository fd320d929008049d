"""`ainet export`, and every use of what it wrote."""

import re

import numpy as np
import onnx
import pytest
from PIL import Image
from support.command_line import FAST, Run, expected, tree

from ainet import Segmenter

pytestmark = pytest.mark.slow


def test_export_info_and_segment(run: Run, segmenter: Segmenter) -> None:
    pytest.importorskip("onnxscript")
    result = run("export", "-o", "new/model.onnx", "--output", "labels")
    assert (result.code, result.errors) == (0, [])
    assert result.lines[0].startswith("new/model.onnx: ainet-lite, fp32, output labels, ")
    assert tree("new") == ["model.onnx"]
    assert ["output", "labels"] in [line.split() for line in run("info", "new/model.onnx").lines]
    assert run("segment", "a.png", "-o", "out", "--model", "new/model.onnx", *FAST).code == 0
    with Segmenter.load("new/model.onnx", "cpu") as same:
        np.testing.assert_array_equal(np.load("out/a.npy"), expected(same, "a.png"))


def test_export_with_photos(run: Run) -> None:
    pytest.importorskip("onnxscript")
    photo = Image.open("a.png")
    for number, turn in enumerate((Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_LEFT_RIGHT)):
        photo.transpose(turn).save(f"{number}.png")
    result = run("export", "-o", "half.onnx", "--precision", "fp16", "--images", ".")
    assert (result.code, result.errors) == (0, [])
    said = r"half precision gives the same cell to (99\.\d{3})% of the pixels of 5 images; (.+)"
    found = re.fullmatch(said, result.lines[0])
    assert found
    if float(found[1]) >= 99.9:
        assert found[2] == "no layer has to stay in float32"
    else:  # depends on the bundled weights
        kept = re.fullmatch(r"(\S+(?:, \S+)*) in float32, (99\.9\d\d)%", found[2])
        assert kept
        kernels = [tensor.data_type for tensor in onnx.load("half.onnx").graph.initializer if len(tensor.dims) == 4]
        assert kernels.count(onnx.TensorProto.FLOAT) >= len(kept[1].split(", "))
    assert result.lines[1].startswith("half.onnx: ainet-lite, fp16, output logits, ")
