"""Tiles of a working image that is too large to go through a network at once: they overlap by as far as the network sees.

for tile in tiles(plan, "ainet-lite"):
    ids[tile.inner] = ids_of(network(image[tile.outer]))[tile.within]
"""

from collections.abc import Iterator
from typing import NamedTuple

from ainet.runtime.plan import Plan
from ainet.spec import CELL_SIZE


class Margins(NamedTuple):
    """How many pixels the network is shown beyond a tile: above and left of it, and below and right of it; multiples of the cell size.

    No output of the tile, or of the 12 pixels around it that interpolation looks at, depends on pixels farther away.
    """

    before: int
    after: int


MARGINS = Margins(7 * CELL_SIZE, 6 * CELL_SIZE)  # the farthest there are: 111 in ainet, and 96
WIDER_MARGINS = {"ainet-public": Margins(12 * CELL_SIZE, 11 * CELL_SIZE)}


class Tile(NamedTuple):
    """Rows and columns of the working image, all multiples of the cell size.

    outer: what the network sees. inner: what it is asked for; within: where that lies in `outer`.
    """

    outer: tuple[slice, slice]
    inner: tuple[slice, slice]
    within: tuple[slice, slice]


def tiles(plan: Plan, network: str) -> Iterator[Tile]:
    """Tiles of at most `plan.limit` pixels, margins included, whose inner parts cover the working image."""
    margins = margins_of(network)
    height, width = _inner_size(plan.working_height, plan.working_width, plan.limit, margins)
    for rows in _spans(plan.working_height, height, margins):
        for columns in _spans(plan.working_width, width, margins):
            yield Tile(*zip(rows, columns, strict=True))


def margins_of(network: str) -> Margins:
    return WIDER_MARGINS.get(network, MARGINS)


def _inner_size(height: int, width: int, limit: int, margins: Margins) -> tuple[int, int]:
    """Height and width of the inner parts with which the network sees the fewest pixels in all, margins included."""
    best: tuple[int, int, int] | None = None
    for rows in range(1, height // CELL_SIZE + 1):
        if best is not None and _seen(height, rows, margins) * width >= best[0]:
            break
        outer_height = _largest(height, rows, margins)
        for columns in range(max(1, outer_height * width // limit), width // CELL_SIZE + 1):
            if outer_height * _largest(width, columns, margins) <= limit:
                seen = _seen(height, rows, margins) * _seen(width, columns, margins)
                best = min(best or (seen, rows, columns), (seen, rows, columns))
                break
    assert best is not None, "a limit below a cell and its margins"
    return _part(height, best[1]), _part(width, best[2])


def _part(size: int, pieces: int) -> int:
    """Of so many equal pieces one, in whole cells."""
    return -(-size // (pieces * CELL_SIZE)) * CELL_SIZE


def _largest(size: int, pieces: int, margins: Margins) -> int:
    """The largest of the pieces with its margins, which those at either end have on one side alone."""
    return min(size, _part(size, pieces) + (max(margins) if pieces == 2 else sum(margins)))


def _seen(size: int, pieces: int, margins: Margins) -> int:
    """All pieces together with their margins."""
    return size + (pieces - 1) * sum(margins)


def _spans(size: int, step: int, margins: Margins) -> Iterator[tuple[slice, slice, slice]]:
    """Cut `size` into spans: each with its margins, alone, and alone as seen from the start of its margin."""
    for start in range(0, size, step):
        end = min(start + step, size)
        first, last = max(0, start - margins.before), min(size, end + margins.after)
        yield slice(first, last), slice(start, end), slice(start - first, end - first)
