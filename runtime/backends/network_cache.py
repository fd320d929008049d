"""Compiled networks in the user's cache folder, so that the next start need not compile them again.

    cache = NetworkCache.of_user()
    content = cache.load(key)             # None where there is none, or a damaged one
    cache.store(key, content)

The folder is `ainet` in XDG_CACHE_HOME, by default ~/.cache/ainet. It holds at most `LIMIT` bytes and may be deleted at any time.
AINET_CACHE=0 does without it. Whatever goes wrong with it costs time, and is no error: a folder that is missing, read-only or full.
"""

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ainet.files import read_sealed, write_sealed

LIMIT = 64 * 2**20  # bytes; a network takes 3 MB in INT8, 10 MB in float32
SWITCH = "AINET_CACHE"
SUFFIX = ".network"


@dataclass(frozen=True)
class NetworkCache:
    """Sealed files named by their key. `folder`: None keeps nothing."""

    folder: Path | None

    @classmethod
    def of_user(cls) -> "NetworkCache":
        """The cache of whoever runs this process."""
        if os.environ.get(SWITCH) == "0":
            return cls(None)
        named = os.environ.get("XDG_CACHE_HOME", "")
        try:
            return cls(Path(named) / "ainet" if Path(named).is_absolute() else Path.home() / ".cache/ainet")
        except RuntimeError:  # a user without a home
            return cls(None)

    def load(self, key: str) -> bytes | None:
        """What was stored for `key`, whole."""
        if self.folder is None:
            return None
        file = self.folder / (key + SUFFIX)
        content = read_sealed(file)
        if content is not None:
            with contextlib.suppress(OSError):
                os.utime(file)  # see `_shrink`
        return content

    def store(self, key: str, content: bytes) -> None:
        """Keep `content`; processes that store the same key at the same time all leave a whole file."""
        if self.folder is None:
            return
        write_sealed(self.folder / (key + SUFFIX), content)
        with contextlib.suppress(OSError):
            self._shrink()

    def _shrink(self) -> None:
        """Remove files, those first that were not asked for the longest, until the rest is within the limit."""
        assert self.folder is not None
        states = {file: file.stat() for file in self.folder.glob(f"*{SUFFIX}")}
        total = sum(state.st_size for state in states.values())
        for file, state in sorted(states.items(), key=lambda entry: entry[1].st_mtime_ns):
            if total <= LIMIT:
                break
            file.unlink(missing_ok=True)
            total -= state.st_size


def key_of(*parts: bytes | str) -> str:
    """A name for what was made from all of `parts`, in that order."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()[:32]
