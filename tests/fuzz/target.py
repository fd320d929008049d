"""What a kind of file needs to be fuzzed."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from fuzz.mutations import damaged, spliced

Damage = Callable[[bytes, Random], bytes]


class Target:
    """One kind of file; a subclass says how good ones are made, how they are damaged, and how the toolkit reads one.

    folder: an empty one, in which the files lie, and results belong. file_name: of the files.
    """

    file_name = "file"
    damages: tuple[Damage, ...] = (damaged,)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.good = self.seeds()

    def seeds(self) -> list[bytes]:
        """Good files."""
        raise NotImplementedError

    def case(self, random: Random) -> bytes:
        """A file, mostly a damaged one."""
        if random.random() < 0.03:
            return spliced(self.good, random)
        return random.choice(self.damages)(random.choice(self.good), random)

    def read(self, path: Path) -> None:
        """Read it, and use what it holds. Raises `AINetError` where it is refused, and anything else where the toolkit is wrong."""
        raise NotImplementedError
