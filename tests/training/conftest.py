import pytest
from support.tiny_run import RECIPE, SAMPLES

from ainet.training.trainer import Trainer


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """A run of the tiny recipe in one piece."""
    trainer = Trainer("scn", RECIPE, SAMPLES, tmp_path_factory.mktemp("unbroken"))
    assert trainer.run()
    return trainer
