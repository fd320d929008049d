"""`ainet convert`."""

from pathlib import Path

import pytest
from support.command_line import Run, tree

pytestmark = pytest.mark.slow


def test_convert(run: Run, public_checkpoints: dict[str, Path]) -> None:
    pytest.importorskip("torch")
    result = run("convert", public_checkpoints["scn_legacy"], "-o", "new/scn.safetensors")
    assert (result.code, result.errors) == (0, [])
    assert tree("new") == ["scn.safetensors"]
    rows = dict(line.split(maxsplit=1) for line in run("info", "new/scn.safetensors").lines)
    assert (rows["network"], rows["source"]) == ("scn", "scn_public_ckpt_legacy.tar")
