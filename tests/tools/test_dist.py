"""The wheel that `make dist` makes: its tag, size and content, and a photo segmented in an empty environment without a compiler."""

import re
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
from support.paths import PHOTOS, ROOT
from support.scripts import load_script

import ainet

pytest.importorskip("auditwheel", reason="auditwheel is not installed: pip install 'ainet-toolkit[dist]'")
pytest.importorskip("scikit_build_core", reason="scikit-build-core is not installed")

pytestmark = pytest.mark.slow

dist = load_script(ROOT / "tools/dist.py")


def test_a_wheel_in_an_empty_environment(tmp_path: Path) -> None:
    # Without build isolation, and in the build folder of `make install`: the natives are not compiled again.
    wheel = dist.make_wheel(ROOT, sys.executable, tmp_path, ["--no-build-isolation"])
    tag = "cp312-abi3" if sys.version_info >= (3, 12) else "cp311-cp311"
    assert re.fullmatch(rf"ainet_toolkit-[\d.]+-{tag}-manylinux_\S+\.whl", wheel.name)
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "ainet/weights/ainet.onnx",
        "ainet/weights/ainet.safetensors",
        "ainet/weights/ainet-lite.safetensors",
        "ainet/weights/scn.safetensors",
        "ainet/runtime/native/device/kernels.cu",
        "ainet/cli/__init__.py",
    } <= names
    assert not [name for name in names if name.endswith((".cpp", ".h"))]
    said = dist.try_out(wheel, sys.executable, ["--ignore-installed", "--no-deps", "--no-index"], Path(sysconfig.get_path("purelib")))
    count = ainet.segment(ainet.read_image(PHOTOS / "chelsea.jpg"), 300).max() + 1
    where, figures = said.split(": ")
    assert where.endswith("/site-packages/ainet/__init__.py")
    assert Path(where) != Path(ainet.__file__)
    assert figures.startswith(f"{count} superpixels on Python {sys.version.split()[0]}")
