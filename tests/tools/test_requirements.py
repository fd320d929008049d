"""`tools/requirements.py`, for every extra that the page on usage names."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
EXTRAS = sorted(set(re.findall(r"`\[([a-z-]+)\]`", (ROOT / "docs/usage.md").read_text())))


def requirements(extras: str) -> set[str]:
    command = [sys.executable, ROOT / "tools/requirements.py", extras]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_that_the_docs_name(extra: str) -> None:
    assert requirements(extra) > ALWAYS


def test_pycuda_brings_no_engine() -> None:
    assert {"cpu", "gpu", "openvino", "pycuda", "tensorrt", "tensorrt-rtx", "train"} <= set(EXTRAS)
    assert requirements("pycuda") == ALWAYS | {"pycuda>=2024.1"}
    assert requirements("cpu,pycuda") == requirements("cpu") | requirements("pycuda")
