"""What is loaded by an import, by the command line and by a command; and the public names."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import PHOTOS

import ainet


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys; print('LOADED', *sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=PHOTOS)
    return set(result.stdout.rpartition("LOADED")[2].split())


def test_import_loads_nothing_heavy() -> None:
    loaded = modules_after("import ainet; dir(ainet)")
    assert "ainet" in loaded
    assert not loaded & {"torch", "numpy", "cv2", "PIL", "onnxruntime", "openvino", "rich", "typer"}


def test_the_command_line_starts_without_what_its_commands_load() -> None:
    assert not modules_after("import ainet.cli") & {"torch", "numpy", "cv2", "PIL", "onnx", "onnxruntime", "openvino"}


def test_segmenting_loads_no_torch(tmp_path: Path) -> None:
    loaded = modules_after(
        f"import sys; sys.argv = ['ainet', 'segment', 'chelsea.jpg', '-o', {str(tmp_path)!r}, '-n', '20']\n"
        "from ainet.cli import main\ntry: main()\nexcept SystemExit as end: assert not end.code"
    )
    assert {"numpy", "cv2", "ainet.segmenter"} <= loaded
    assert not loaded & {"torch", "onnx", "scipy", "skimage"}
    assert (tmp_path / "chelsea.npy").exists()


def test_names() -> None:
    assert set(ainet.__all__) <= set(dir(ainet))
    for name in ainet.__all__:
        assert getattr(ainet, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'ainet' has no attribute 'nothing'"):
        ainet.nothing  # noqa: B018
