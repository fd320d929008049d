"""Commands that are killed; `python -m fuzz.kill` kills them more often, and exports and calibrations too."""

import pytest

from fuzz.commands import COMMANDS
from fuzz.kill import kill

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "kills"), [("segment", 2), ("bench accuracy", 2), ("train", 1)])
def test_a_killed_command_leaves_nothing_half_written_and_ends_when_it_is_run_again(name: str, kills: int) -> None:
    assert kill(COMMANDS[name], kills).kills == kills
