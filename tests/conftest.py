"""Fixtures that all tests share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data (vectors, BSDS500); tests that need it skip where it is absent."""
    root = Path(os.environ.get("AINET_TEST_DATA", Path(__file__).resolve().parents[2] / "shared"))
    if not (root / "reference").is_dir():
        pytest.skip(f"no reference data at {root}; set AINET_TEST_DATA to its folder")
    return root
