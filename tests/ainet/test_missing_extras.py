"""Without an extra: other mistakes of a call are told first, and then what to install, in the words of the pages."""

import importlib
import re
import sys
from pathlib import Path

import pytest
from support.command_line import Run, refused

from ainet.errors import DeviceError


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no extra were installed but that of an engine."""
    for name in ("ray", "pyarrow", "pytriton", "napari", "magicgui", "torch", "safetensors", "onnx", "matplotlib", "scipy", "h5py"):
        for loaded in [module for module in sys.modules if module == name or module.startswith(f"{name}.")]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, name, None)
    for part in ("bulk", "napari", "training", "export", "calibration", "benchmarks"):
        for loaded in [module for module in sys.modules if module.startswith(f"ainet.{part}.")]:
            monkeypatch.delitem(sys.modules, loaded)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["segment", "a.png", "-o", "out", "--ray", "local", "--format", "overlay"], "no format 'overlay'"),
        (["segment", "gone.parquet", "-o", "out", "--ray", "local"], "cannot read gone.parquet"),
        (["segment", "a.png", "-o", "out", "--ray", "local", "--model", "anet"], "no model 'anet'"),
        (["segment", "a.png", "-o", "out", "--ray", "local", "--device", "gpu9"], "unknown device 'gpu9'"),
        (["segment", "a.png", "-o", "out", "--ray", "local", "--precision", "int4"], "unknown precision 'int4'"),
        (["serve", "anet"], "no model 'anet'"),
        (["serve", "--device", "gpu9"], "unknown device 'gpu9'"),
        (["serve", ".", "--http", "8000", "--grpc", "8000"], "three ports"),
        (["serve", "."], "no model repository"),
        (["export", "anet", "-o", "x.onnx"], "no checkpoint 'anet'"),
        (["export", "-o", "x.onnx", "--output", "cells"], "unknown output 'cells'"),
        (["export", "--hub", "new", "--output", "cells"], "unknown output 'cells'"),
        (["export", "-o", "x.onnx", "--precision", "fp16", "--images", "gone"], "no folder gone"),
        (["calibrate", "-o", "x.onnx", "--images", "gone"], "no folder gone"),
        (["calibrate", "-o", "x.onnx", "--images", ".", "--output", "cells"], "unknown output 'cells'"),
        (["build", "x.onnx", "--size", "321x481"], "not a multiple of 16"),
        (["train", "scn", "--recipe", "full", "-o", "out"], "name one data set"),
        (["train", "scn", "--recipe", "full", "-o", "out", "--bsds", "b", "--budget", "soon"], "'soon' is no duration"),
        (["verify", "anet", "--images", "."], "no model 'anet'"),
        (["verify", "scn", "--images", "gone"], "no folder gone"),
        (["bench", "regions", "--method", "scn", "--bsds", "b", "-o", "x.json", "--starts", "many"], "'many' is no list of numbers"),
        (["bench", "latency", "--method", "scn", "-o", "x.json", "--sizes", "big"], "'big'"),
        (["bench", "int8", "--bsds", "b", "-o", "x.json", "--network", "anet"], "unknown network 'anet'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_before_packages_are_asked_for(run: Run, arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.code in (1, 2)
    assert len(result.errors) == 1
    assert message in result.errors[0]
    assert "pip install" not in result.errors[0]
    assert sorted(path.name for path in Path().iterdir()) == ["a.png", "b.jpg"]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("arguments", "install"),
    [
        (["segment", "a.png", "-o", "out", "--ray", "local"], "needs the package pyarrow: pip install 'ainet-toolkit[ray,cpu]'"),
        (["serve", "ainet-lite", "--device", "cpu"], "needs the package nvidia-pytriton; .*: pip install '.[serve,cpu]'"),
        (["export", "-o", "x.onnx"], "needs the package (torch|safetensors): pip install 'ainet-toolkit[export]'"),
    ],
    ids=["ray", "serve", "export"],
)
def test_then_what_to_install(run: Run, arguments: list[str], install: str) -> None:
    line = refused(run, *arguments)
    assert re.search(install.replace("[", r"\["), line), line


@pytest.mark.usefixtures("bare")
def test_the_widget_without_napari() -> None:
    with pytest.raises(DeviceError, match=r"napari's widget needs the package \w+: pip install 'ainet-toolkit\[napari,cpu\]'"):
        importlib.import_module("ainet.napari.widget")
