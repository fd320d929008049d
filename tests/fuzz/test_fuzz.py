"""A few hundred damaged files of each kind: every one is read, or refused with an error of the toolkit's own.

`make fuzz` reads many more. What was found stands as a test of its own beside the reader that it is about.
"""

import pytest

from fuzz.run import fuzz, table
from fuzz.targets import TARGETS
from fuzz.worker import ACCEPTED, REFUSED

INPUTS = 200
LARGE = ("checkpoints", "torch files", "torch streams", "training states", "nyu truths")  # of megabytes: a twentieth of a second each
INPUTS_OF_LARGE = 40

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("targets", "inputs"), [([name for name in TARGETS if name not in LARGE], INPUTS), (LARGE, INPUTS_OF_LARGE)])
def test_every_damaged_file_is_read_or_refused(targets: list[str], inputs: int) -> None:
    rows = fuzz(targets, 0, inputs)
    bad = [f"{name} {found['number']}: {found['detail']}" for name, row in rows.items() for found in row.bad]
    assert not bad, "\n".join([table(rows), *bad])
    for name, row in rows.items():
        assert row.counts.total() == inputs
        assert row.counts[ACCEPTED] and row.counts[REFUSED], name  # else nothing is damaged, or all of it at once
