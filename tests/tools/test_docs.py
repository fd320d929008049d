"""The pages that people read: their links lead somewhere, and the commands, names and files that they show exist."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT
from typer.main import get_command

import ainet
from ainet.cli import app

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "ainet/weights/README.md", ROOT / "benchmarks/results/README.md"])
FOLDERS = ("ainet", "training", "export", "runtime", "calibration", "benchmarks", "tests", "tools", "docs", "examples", "web")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
of_today = pytest.mark.parametrize("page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name)


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def spans(page: Path) -> list[str]:
    """Code within the text, each on one line."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(page))]


def anchors(page: Path) -> set[str]:
    """What a link can name behind `#`: the headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shell_commands(page: Path) -> Iterator[list[str]]:
    """The words after `ainet` in each command of the shell blocks."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if "ainet" in words:
                yield words[words.index("ainet") + 1 :]


def find_command(words: list[str]) -> tuple[Any, list[str]]:
    """The subcommand that the first words name, and the words after its name."""
    command = get_command(app)
    rest = list(words)
    while rest and hasattr(command, "commands"):
        assert rest[0] in command.commands, f"there is no command: ainet {' '.join(words)}"
        command = command.commands[rest.pop(0)]
    return command, rest


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(file), f"{target}: no such heading"


@of_today
def test_commands_in_blocks_are_accepted(page: Path) -> None:
    """Names, options, values and what is required, as the command line's own parser takes them; nothing is run."""
    for words in shell_commands(page):
        command, rest = find_command(words)
        command.make_context(command.name, rest)


@of_today
def test_commands_in_the_text_exist_with_their_options(page: Path) -> None:
    for span in spans(page):
        if span.startswith("ainet "):
            command, rest = find_command(span.split()[1:])
            options = {option for parameter in command.params for option in parameter.opts}
            assert {word for word in rest if word.startswith("-")} <= options, f"`{span}` has unknown options"


@of_today
def test_names_in_python_blocks_exist(page: Path) -> None:
    for block in blocks(page, "python"):
        for name in re.findall(r"\bainet\.(\w+)", block):
            assert hasattr(ainet, name) or importlib.util.find_spec(f"ainet.{name}"), f"there is no ainet.{name}"


@of_today
def test_make_targets_exist(page: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    shown = [line.split()[1] for block in blocks(page, "sh") for line in block.splitlines() if line.startswith("make ")]
    assert set(shown) <= set(targets)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md"])
def test_files_named_in_the_text_exist(page: str) -> None:
    """Save those of a recipe's reader, which begin with `my`."""
    paths = [span for span in spans(ROOT / page) if span.startswith(tuple(f"{folder}/" for folder in FOLDERS)) and "/my" not in span]
    assert paths
    missing = [path for path in paths if not any(ROOT.glob(path))]
    assert not missing
