"""When the frames of a video are shown, where a few of its times are wrong.

ascending([0.0, 0.04, 0.5, 0.5, 2.0], rate=25)  # [0.0, 0.04, 0.5, 0.54, 2.0]
"""

from bisect import bisect_left
from collections.abc import Sequence

MOST_WRONG = 0.25  # of the times: with more, none is believed


def ascending(times: Sequence[float], rate: float) -> list[float]:
    """Times in seconds from 0 on, each above the one before.

    As many of the given times as ascend are kept, and shifted to begin at 0; each of the others follows the frame before it at the file's
    rate, or sooner where the next one leaves less room. Where over a quarter does not ascend, as in a file without times or one of two
    that were joined, all frames are shown at the rate.
    """
    kept = _longest_ascent(times)
    if len(times) - len(kept) > MOST_WRONG * len(times):
        return [number / rate for number in range(len(times))]
    shown = [times[kept[0]] - (kept[0] - number) / rate for number in range(kept[0])]
    for place, following in zip(kept, [*kept[1:], len(times)], strict=True):
        step = 1 / rate
        if following < len(times):
            step = min(step, (times[following] - times[place]) / (following - place))
        shown.append(times[place])
        shown += [times[place] + number * step for number in range(1, following - place)]
    return [time - shown[0] for time in shown]


def _longest_ascent(times: Sequence[float]) -> list[int]:
    """The places of the most times of which each is above the one before: patience sorting."""
    lowest: list[float] = []  # that an ascent of 1, 2, ... times can end with, so far
    places: list[int] = []  # of those
    before: list[int] = []  # of each time, the place of the one before it in its ascent
    for place, time in enumerate(times):
        length = bisect_left(lowest, time)
        before.append(places[length - 1] if length else -1)
        if length == len(lowest):
            lowest.append(time)
            places.append(place)
        elif time < lowest[length]:  # not where they are equal: the first of two frames of one time keeps it
            lowest[length], places[length] = time, place
    ascent: list[int] = []
    place = places[-1] if places else -1
    while place >= 0:
        ascent.append(place)
        place = before[place]
    return ascent[::-1]
