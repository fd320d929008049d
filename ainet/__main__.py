"""`python -m ainet` is the `ainet` command, for places that want a module, such as torchrun."""

from ainet.cli import run

run()
