"""The tests of `tests/gpu` on the emulated GPU, which the driver of this process must not be: each file in a process of its own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.cuda_emulator import KERNELS, VARIABLE, build
from support.paths import ROOT

from ainet.errors import DeviceError
from ainet.runtime.cuda.binary import kernel_source

pytestmark = pytest.mark.slow

SKIPS = ("this PyTorch has no CUDA", "could not import 'cupy'", "too slow on the emulated GPU")  # that are in order
FILES = [
    *(f"tests/gpu/test_{name}.py" for name in ("kernels", "gpu", "pipeline", "pipeline_faults", "arrays")),
    *(f"tests/gpu/test_{name}.py" for name in ("tensorrt_backend", "onnx_runtime_backend", "torch_network")),  # over stand-ins for engines
    "tests/ainet/cli/test_engines.py",
]


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config) -> Path:
    """Where the emulator is kept between runs."""
    pytest.importorskip("cuda.core")
    if sys.platform != "linux" or shutil.which("g++") is None:
        pytest.skip("the emulated GPU needs Linux and g++")
    try:
        kernel_source()
    except DeviceError as error:  # the emulated driver wants compiled kernels too, although it runs its own
        pytest.skip(str(error))
    assert pytestconfig.cache is not None
    return pytestconfig.cache.mkdir("cuda_emulator")


def run_pytest(library: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of pytest on the emulated GPU."""
    paths = [str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, VARIABLE: str(library), "PYTHONPATH": os.pathsep.join(paths)}
    options = [
        "-q",
        "-rs",
        "-p",
        "support.cuda_emulator.plugin",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-o",
        "addopts=",
        "--strict-markers",
    ]
    command = [sys.executable, "-P", "-m", "pytest", *options, "--import-mode=importlib", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize("file", FILES)
def test_on_the_emulated_gpu(folder: Path, file: str) -> None:
    code, output = run_pytest(build(folder), "-m", "gpu", file)
    assert code == 0, output
    skipped = re.findall(r"^SKIPPED \[\d+\] [^ ]+ (.*)$", output, re.MULTILINE)
    assert all(reason.startswith(SKIPS) for reason in skipped), output


MUTATIONS = {  # file, what stands there, what takes its place, and a test that has to fail
    "a comparison is turned round": ("connectivity.cuh", "u.unit[q] < unit", "u.unit[q] > unit", "adversarial"),
    "a barrier is left out": ("cut.cuh", "team.sync();\n        int32_t won", "int32_t won", "adversarial"),
    "the last of equal scores wins": ("image.cuh", "value > best", "value >= best", "assign"),
    "a sum in another order": (
        "image.cuh",
        "plus(plus(shares[c][0], shares[c][1]), plus(",
        "plus(plus(shares[c][0], shares[c][2]), plus(",
        "interpolat",
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_kernel_is_found(folder: Path, tmp_path: Path, name: str) -> None:
    file, before, after, test = MUTATIONS[name]
    kernels = tmp_path / "kernels"
    shutil.copytree(KERNELS, kernels)
    source = (kernels / file).read_text()
    assert source.count(before) == 1
    (kernels / file).write_text(source.replace(before, after))
    code, output = run_pytest(build(tmp_path, kernels), "tests/gpu/test_kernels.py", "-x", "-k", test)
    assert code != 0, output
    assert re.search("Mismatched elements|CUDA emulator: ", output), output
