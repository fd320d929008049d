"""Errors that a user can mend: their message says what was wrong and what to do."""

NO_MEMORY = "not enough memory; scale the image down, or ask for fewer superpixels"


class AINetError(Exception):
    """Base of the toolkit's own errors. The command line prints the message alone and exits with `exit_code`."""

    exit_code = 1


class UsageError(AINetError, ValueError):
    """An argument is out of range or contradicts another."""

    exit_code = 2


class ModelError(AINetError):
    """A checkpoint, ONNX file or engine cannot be used."""


class ImageError(AINetError):
    """An image or video cannot be used."""


class DeviceError(AINetError):
    """A device or backend is not there."""


class OutputError(AINetError):
    """A result cannot be written."""


def import_failed(what: str, error: Exception, install: str) -> DeviceError:
    """The error of a feature whose imports fail: a package is not there, or it is and cannot be loaded.

    what: the feature. install: the command that mends it.
    """
    if "failed to map segment" in str(error):
        return DeviceError(f"{what} needs more memory than there is for this process ({error}); raise its limit, or free some")
    if isinstance(error, ModuleNotFoundError) and error.name:
        return DeviceError(f"{what} needs the package {error.name.partition('.')[0]}: {install}")
    return DeviceError(f"{what} needs a package that is installed and cannot be loaded ({error}); mend or install it anew: {install}")


def short(value: object) -> str:
    """How an error shows a value: as it is written, or the beginning of that."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # Python writes no integer of over 4,300 digits; other classes' own text may fail as it likes
        return f"this {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
