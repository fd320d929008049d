from pathlib import Path

import pytest
from support.tiny_run import RECIPE, SAMPLES

from ainet.training.trainer import Trainer


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run of the tiny recipe in one piece."""
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path_factory.mktemp("unbroken"))
    assert trainer.run()
    return trainer


@pytest.fixture
def tiny_recipe(tmp_path: Path) -> str:
    """A recipe file of four iterations."""
    (tmp_path / "tiny.toml").write_text("iterations = 4\nbatch_size = 2\ncrop = 32\nlr = 1e-3")
    return str(tmp_path / "tiny.toml")
