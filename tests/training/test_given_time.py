"""How far a schedule has come in a given time, by a clock that the tests set."""

import pytest
from support.clock import Clock

from ainet.training.given_time import GivenTime


def test_the_schedule_begins_after_the_first_step_and_ends_before_what_the_end_takes() -> None:
    clock = Clock(1000)
    given = GivenTime(100, clock)
    given.ending = 10
    clock.now += 40  # loading and compiling
    assert (given.used, given.share) == (40, 0)
    given.step_done()
    shares = []
    for used in (40, 65, 90, 200):
        clock.now = 1000 + used
        given.step_done()
        shares.append(given.share)
    assert shares == [0, 0.5, 1, 1]


def test_a_piece_goes_on_where_the_one_before_was() -> None:
    clock = Clock()
    first = GivenTime(100, clock)
    first.ending = 10
    clock.now = 40
    first.step_done()
    clock.now = 65
    second_clock = Clock(7)
    second = GivenTime(100, second_clock)
    second.go_on(first.state())
    second_clock.now += 5
    assert (second.used, second.share) == (70, 0.5)
    second.step_done()
    second_clock.now += 10
    assert second.share == 0.75
    second_clock.now += 10
    assert (second.used, second.share) == (90, 1)


@pytest.mark.parametrize("used", [90, 95, 300])
def test_with_no_time_left_one_step_is_the_last(used: float) -> None:
    given = GivenTime(100, Clock())
    given.go_on({"used": used, "share": 0.5, "ending": 10})
    assert given.share == 0.5
    given.step_done()
    assert given.share == 1


@pytest.mark.parametrize("change", [{"used": -1}, {"share": 1.5}, {"share": float("nan")}, {"ending": float("inf")}])
def test_a_state_out_of_range_is_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="of the schedule after"):
        GivenTime(100, Clock()).go_on({"used": 1, "share": 0, "ending": 1, **change})
