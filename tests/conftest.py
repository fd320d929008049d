"""Fixtures that all tests share."""

import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from support.cuda_emulator import Emulator

# Before PyTorch is imported: tests run in a process for each core, where OpenMP's waiting threads would hold up one another's work.
os.environ.setdefault("OMP_NUM_THREADS", "1")

os.environ["AINET_CACHE"] = "0"  # tests neither fill the cache of whoever runs them nor depend on it


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data (vectors, BSDS500); tests that need it skip where it is absent."""
    root = Path(os.environ.get("AINET_TEST_DATA", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "reference").is_dir():
        pytest.skip(f"no reference data at {root}; set AINET_TEST_DATA to its folder")
    return root


@pytest.fixture
def emulator(pytestconfig: pytest.Config) -> Iterator[Emulator]:
    """The emulated GPU, put right after the test; skips where pytest runs without it. See tests/support/cuda_emulator."""
    plugin = pytestconfig.pluginmanager.get_plugin("support.cuda_emulator.plugin")
    if plugin is None:
        pytest.skip("needs the emulated GPU")
    yield plugin.EMULATOR
    plugin.EMULATOR.put_right()


@pytest.fixture(scope="session")
def public_checkpoints(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The public checkpoint files, unpacked: "ainet", "scn" and "scn_legacy" (stream format of before PyTorch 1.6)."""
    folder = tmp_path_factory.mktemp("public")
    paths = {}
    for name, stem in (("ainet", "ainet_public_ckpt"), ("scn", "scn_public_ckpt"), ("scn_legacy", "scn_public_ckpt_legacy")):
        paths[name] = folder / f"{stem}.tar"
        paths[name].write_bytes(lzma.decompress((shared / "reference/networks" / f"{stem}.tar.xz").read_bytes()))
    return paths


@pytest.fixture(scope="session")
def vectors(shared: Path) -> Callable[[str], dict[str, np.ndarray]]:
    """Reference vectors by file name, as arrays in memory."""
    return lambda name: dict(np.load(shared / "reference/networks" / f"{name}.npz"))
