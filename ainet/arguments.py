"""Checks of arguments that several functions share."""

import operator
from typing import SupportsIndex

from ainet.errors import UsageError


def checked_integer(name: str, value: SupportsIndex) -> int:
    """The argument `name` as an int.

    Raises:
        UsageError: its value is no integer.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise UsageError(f"{name} must be an integer, not {value!r}") from None
