"""The `ainet` command. Each subcommand has a module of its own, which imports heavy packages when it runs."""

import atexit
import io
import os
import signal
import sys
import warnings

import typer

import ainet
from ainet.cli import bench, build, calibration, convert, doctor, eval, export, info, segment, serve, train, train_merging, verify
from ainet.cli.console import print_error
from ainet.errors import AINetError, OutputError, UsageError, import_failed

app = typer.Typer(
    help="Superpixels with AINet and SCN.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"ainet {ainet.__version__}")
        raise typer.Exit


@app.callback()
def _root(version: bool = typer.Option(False, "--version", help="Print the version and exit.", callback=_version, is_eager=True)) -> None:
    pass


app.command("segment")(segment.segment)
app.command("export")(export.export)
app.command("calibrate")(calibration.calibrate)
app.command("build")(build.build)
app.command("convert")(convert.convert)
app.command("info")(info.info)
app.command("train")(train.train)
app.command("train-merging")(train_merging.train_merging)
app.command("eval")(eval.evaluate)
app.command("verify")(verify.verify)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line; an error of ours becomes one line on stderr and exit code 2 (usage) or 1."""
    warnings.simplefilter("ignore")  # libraries on files that our own errors speak of
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be UTF-8
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave as after Ctrl-C, with nothing half-written
    try:
        if any(argument == "" or (argument.startswith("--") and argument.endswith("=")) for argument in sys.argv[1:]):
            raise UsageError(
                "an argument is empty, such as by a shell variable that is not set; name what is meant, such as . for this folder"
            )
        app()
    except AINetError as error:
        print_error(error)
        sys.exit(error.exit_code)
    except ImportError as error:  # of what every installation has
        print_error(import_failed("this command", error, "pip install --force-reinstall ainet-toolkit"))
        sys.exit(1)
    except OSError as error:  # of the files named by the user, those are errors of ours; this is the terminal, pipe or disk
        print_error(OutputError(f"cannot go on: {error}"))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def run() -> None:
    """What the shell starts: `main`, and an end without taking down what the process has loaded.

    The engines' libraries take a fifth of a second to unload, which the operating system does at once.
    """
    try:
        main()
        code: object = 0
    except SystemExit as end:
        code = end.code or 0
    atexit._run_exitfuncs()  # of libraries that end other processes, such as Ray
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed before the start, as some daemons do
                stream.flush()
    except OSError:  # nobody reads them any more
        code = code or 1
    os._exit(code if isinstance(code, int) else 1)
