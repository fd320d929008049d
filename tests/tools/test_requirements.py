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


def install_lines(extra: str) -> set[str]:
    """What to install for an extra, as the pages and the errors say it."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    for folder in ("ainet", "runtime", "export", "training", "calibration", "benchmarks"):
        files += (ROOT / folder).rglob("*.py")
    lines = re.findall(r"pip install\s+'([\w.-]+\[[a-z,-]+\])'", "\n".join(file.read_text() for file in files))
    lines += [f"ainet-toolkit[{extras}]" for file in files for extras in re.findall(r'needs\("[^"]+", "([a-z,-]+)"\)', file.read_text())]
    return {line for line in lines if extra in line.partition("[")[2].rstrip("]").split(",")}


@pytest.mark.parametrize(
    ("extra", "line"),
    [
        ("ray", "ainet-toolkit[ray,cpu]"),
        ("napari", "ainet-toolkit[napari,cpu]"),
        ("serve", ".[serve,cpu]"),  # into an environment that does not have the toolkit yet
        ("tiff", "ainet-toolkit[tiff]"),
        ("geo", "ainet-toolkit[geo]"),
    ],
)
def test_pages_and_errors_say_the_same_line(extra: str, line: str) -> None:
    assert install_lines(extra) == {line}


def test_pycuda_brings_no_engine() -> None:
    assert {"cpu", "gpu", "openvino", "pycuda", "tensorrt", "tensorrt-rtx", "train"} <= set(EXTRAS)
    assert requirements("pycuda") == ALWAYS | {"pycuda>=2024.1"}
    assert requirements("cpu,pycuda") == requirements("cpu") | requirements("pycuda")
