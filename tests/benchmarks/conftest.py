"""A data set and methods for the tests of the commands."""

from pathlib import Path

import pytest
from support.blocks import Blocks, install_blocks, write_bsds


@pytest.fixture
def bsds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return write_bsds(tmp_path / "bsds", monkeypatch)


@pytest.fixture
def methods(monkeypatch: pytest.MonkeyPatch) -> dict[str, Blocks]:
    return install_blocks(monkeypatch)
