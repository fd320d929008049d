"""The cache of compiled networks: what it keeps, and everything that can be wrong with a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ainet.runtime.backends import network_cache
from ainet.runtime.backends.network_cache import NetworkCache, key_of


def test_what_is_stored_comes_back(tmp_path: Path) -> None:
    cache = NetworkCache(tmp_path / "deep/ainet")
    assert cache.load("a") is None
    cache.store("a", b"network")
    cache.store("b", b"")
    assert (cache.load("a"), cache.load("b"), cache.load("c")) == (b"network", b"", None)
    cache.store("a", b"another")
    assert cache.load("a") == b"another"


def test_keys() -> None:
    keys = [key_of(), key_of("ab"), key_of("a", "b"), key_of(b"b", "a"), key_of("", "ab"), key_of("ab", "")]
    assert len(set(keys)) == len(keys)
    assert key_of(b"ab") == key_of("ab")


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"", lambda content: b"x" + content[1:]])
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage) -> None:
    cache = NetworkCache(tmp_path)
    cache.store("a", b"network" * 100)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert cache.load("a") is None
    cache.store("a", b"another")
    assert cache.load("a") == b"another"


def test_the_oldest_files_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_cache, "LIMIT", 1000)
    cache = NetworkCache(tmp_path)
    for age, key in enumerate("cba"):
        cache.store(key, b"x" * 250)
        os.utime(tmp_path / f"{key}.network", (age, age))
    assert cache.load("c") is not None  # now the latest
    cache.store("d", b"x" * 250)
    assert [cache.load(key) is not None for key in "abcd"] == [True, False, True, True]
    cache.store("e", b"x" * 2000)  # larger than the limit: nothing is kept
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    """As root, who may write everywhere, a read-only folder is one below a file, or in /proc."""
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file/ainet", Path("/proc/ainet"), Path("/proc/self/mem/x"), None):
        cache = NetworkCache(folder)
        cache.store("a", b"network")
        assert cache.load("a") is None
    (tmp_path / "a.network").mkdir()
    cache = NetworkCache(tmp_path)
    cache.store("a", b"network")
    assert cache.load("a") is None


def test_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AINET_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert NetworkCache.of_user().folder == tmp_path / "ainet"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for unusable in ("", "relative/path"):  # which the XDG specification says to ignore
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert NetworkCache.of_user().folder == tmp_path / "home/.cache/ainet"
    monkeypatch.setenv("AINET_CACHE", "0")
    assert NetworkCache.of_user().folder is None


def test_many_processes_at_once(tmp_path: Path) -> None:
    """Each stores a content of its own for one key, again and again; what is read is always whole."""
    code = (
        "import sys; from pathlib import Path; from ainet.runtime.backends.network_cache import NetworkCache as C\n"
        "cache, own = C(Path(sys.argv[1])), sys.argv[2].encode() * 50_000\n"
        "for _ in range(30):\n"
        "    cache.store('a', own); found = cache.load('a')\n"
        "    assert found is not None and len(found) == 50_000 and len(set(found)) == 1"
    )
    started = [subprocess.Popen([sys.executable, "-P", "-c", code, str(tmp_path), letter]) for letter in "abc"]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["a.network"]
