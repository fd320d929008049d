"""Tiles of a working image that is too large to go through a network at once: they overlap by as far as the network sees.

for tile in tiles(plan, "ainet-lite"):
    ids[tile.inner] = ids_of(network(image[tile.outer]))[tile.within]
"""

from collections.abc import Iterator
from typing import NamedTuple

from ainet.runtime.plan import Plan
from ainet.spec import CELL_SIZE

MARGIN = 8 * CELL_SIZE  # around a tile: no output depends on pixels farther away, which is 113 at most, in ainet-lite;
MARGINS = {"ainet-public": 13 * CELL_SIZE}  # and 192 here


class Tile(NamedTuple):
    """Rows and columns of the working image, all multiples of the cell size.

    outer: what the network sees. inner: what it is asked for; within: where that lies in `outer`.
    """

    outer: tuple[slice, slice]
    inner: tuple[slice, slice]
    within: tuple[slice, slice]


def tiles(plan: Plan, network: str) -> Iterator[Tile]:
    """Tiles of at most `plan.limit` pixels, margins included, whose inner parts cover the working image."""
    margin = MARGINS.get(network, MARGIN)
    height, width = _inner_size(plan.working_height, plan.working_width, plan.limit, margin)
    for rows in _spans(plan.working_height, height, margin):
        for columns in _spans(plan.working_width, width, margin):
            yield Tile(*zip(rows, columns, strict=True))


def _inner_size(height: int, width: int, limit: int, margin: int) -> tuple[int, int]:
    """Height and width of the inner parts with which the network sees the fewest pixels in all, margins included."""
    best = None
    least = margin + CELL_SIZE + margin
    for inner_height in range(CELL_SIZE, height + CELL_SIZE, CELL_SIZE):
        outer_height = min(height, inner_height + 2 * margin)
        if outer_height * min(width, least) > limit:
            break
        outer_width = min(width, limit // outer_height // CELL_SIZE * CELL_SIZE)
        inner_width = width if outer_width == width else outer_width - 2 * margin
        pieces = -(-height // inner_height), -(-width // inner_width)
        seen = (height + 2 * margin * (pieces[0] - 1)) * (width + 2 * margin * (pieces[1] - 1))
        if best is None or seen < best[0]:
            best = seen, pieces
    assert best is not None, "a limit below a cell and its margins"
    return _part(height, best[1][0]), _part(width, best[1][1])


def _part(size: int, pieces: int) -> int:
    """Of so many equal pieces one, in whole cells."""
    return -(-size // (pieces * CELL_SIZE)) * CELL_SIZE


def _spans(size: int, step: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Cut `size` into spans: each with its margins, alone, and alone as seen from the start of its margin."""
    for start in range(0, size, step):
        end = min(start + step, size)
        first, last = max(0, start - margin), min(size, end + margin)
        yield slice(first, last), slice(start, end), slice(start - first, end - first)
