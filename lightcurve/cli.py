"""The command line: one verb a command, each a thin layer over one function."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from lightcurve.commands.options import Verb
from lightcurve.commands.stop import STOP, STOPPED
from lightcurve.core.algebra import LIBRARIES
from lightcurve.core.constants import __version__
from lightcurve.core.errors import LightcurveError

# What Typer raises for every option or argument that is wrong; it has no public name.
USAGE_ERROR: Any = typer.BadParameter.__base__
BEFORE_COMMAND = ("--quiet", "-q", "--version")
PAIRS = {"--annulus": "10 16", "--size": "1024 1024"}  # options of two numbers, an example of each
FAILED = {"compare": 2}  # status by command where it is not 1, which says there that they differ
INTERRUPTED = 130  # as shells count it, and Typer; other signals have their own

# Modules of lightcurve.commands, in the order of --help: a verb's has a function of its name, a
# group's has a `group` of verbs.
VERBS = (
    *("run", "plan", "watch", "image", "stack", "inspect", "calibrate", "solve", "measure", "fit"),
    *(
        "season",
        "space",
        "trust",
        "survey",
        "tonight",
        "period",
        "minimum",
        "variables",
        "magnitudes",
        "export",
        "tune",
        "plot",
        "moving",
        "difference",
        "resample",
        "composite",
        "continuum",
        "compare",
    ),
    *("table", "recompute", "simulate", "demo", "doctor"),
)
GROUPS = ("header", "calib", "index", "planets", "config")


def _unwrap_help(commands: typer.Typer) -> None:
    """Join the lines of each paragraph: Typer breaks help where the source does."""
    for command in commands.registered_commands:
        paragraphs = inspect.cleandoc(command.callback.__doc__ or "").split("\n\n")
        command.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)


def _make(name: str) -> Any:
    """Make a verb, or a group of them, of its module."""
    module = importlib.import_module(f"lightcurve.commands.{name}")
    own = typer.Typer()
    if name in GROUPS:
        for command in module.group.registered_commands:
            command.cls = Verb
        _unwrap_help(module.group)
        own.add_typer(module.group, name=name)
    else:
        own.command(name, cls=getattr(module, "COMMAND", Verb))(getattr(module, name))
        _unwrap_help(own)
    return typer.main.get_group(own).commands[name]


class Commands(Mapping[str, Any]):
    """Verbs and groups by their names, each loaded when it is asked for: all take 0.1 s."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in {*VERBS, *GROUPS}:
            raise KeyError(name)
        if name not in self._made:
            self._made[name] = _make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*VERBS, *GROUPS))

    def __len__(self) -> int:
        return len(VERBS) + len(GROUPS)


class Program(TyperGroup):
    """The program, which loads the command that is called and no other."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands: Any = Commands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Name the commands in the order of ``--help``."""
        return list(self.commands)


app = typer.Typer(
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:  # noqa: FBT001  (Typer calls it with the flag)
    if wanted:
        typer.echo(f"lightcurve {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Warnings only.")] = False,
) -> None:
    """From a night of raw telescope frames to a published transit light curve."""
    from lightcurve.commands.shell import show_messages

    show_messages(quiet=quiet)


def main() -> None:
    """Run the program; an error that a user can cause is one line and a status that is not 0."""
    from lightcurve.commands.shell import ready_terminal
    from lightcurve.core.garbage import keep_all, keep_loaded

    _limit_threads()
    keep_loaded()
    # astropy's, of a folder for settings of its own, which nobody here needs.
    warnings.filterwarnings("ignore", r"XDG_\w+_HOME is set to")
    ready_terminal()
    try:
        STOP.at_work = True
        status = _run()
    except BaseException as error:
        # Whatever was interrupted may break in its own way.
        if not (STOP.status or isinstance(error, KeyboardInterrupt)):
            raise
        status = INTERRUPTED
    finally:
        STOP.at_work = False
        keep_all()
    if STOP.status:
        STOP.end()
    if status == INTERRUPTED:
        _stop(STOPPED, status=status)
    sys.exit(status)


def _run() -> int:
    """Run the command: its exit status; of an error that a user can cause, say it and end."""
    try:
        status = app(prog_name="lightcurve", standalone_mode=False)
        sys.stdout.flush()
    except USAGE_ERROR as error:
        _misused(error)
    except LightcurveError as error:
        _stop(str(error))
    except BrokenPipeError:  # whoever reads has had enough: ``| head``
        _drop_output()
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _stop(f"{where}{error.strerror or error}")
    except typer.Abort:
        return INTERRUPTED
    except Exception as error:  # the last guard, for what no other was there for
        from lightcurve.core.guard import reason_of

        if STOP.status:  # what was interrupted
            raise
        _stop(reason_of(error))
    return status


def _limit_threads() -> None:
    """Let linear algebra run in one thread, here and in the processes that measure.

    The last digits of its results hang on the number of threads, and matrices as small as these
    gain nothing by more: on a busy machine they wait for each other. Where numpy is loaded already
    it hears no more of this, and its processes are to do as it does.
    """
    for library in () if "numpy" in sys.modules else LIBRARIES:
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def _misused(error: Any) -> NoReturn:
    """Say what is wrong with the options; without any, Typer has shown the help."""
    message = _nearest(error) or error.format_message().rstrip(".")
    if not message:
        sys.exit(error.exit_code)
    parameter = getattr(error, "param", None)
    option = getattr(error, "option_name", None) or (parameter.opts[0] if parameter else "")
    if option in BEFORE_COMMAND:
        _stop(f"{option} goes before the command", status=error.exit_code)
    if option in PAIRS:
        message = f"{option} takes two numbers: {option} {PAIRS[option]}"
    command = error.ctx.command_path if error.ctx else "lightcurve COMMAND"
    see = " See" if message.endswith("?") else "; see"
    _stop(f"{message}{see} {command} --help", status=error.exit_code)


def _nearest(error: Any) -> str:
    """Say of an option that there is not which is most like it; empty for any other error."""
    from lightcurve.commands.options import OPTIONS
    from lightcurve.core.registry import did_you_mean

    if not hasattr(error, "possibilities") or error.ctx is None or not error.option_name:
        return ""
    own = [flag for one in error.ctx.command.params for flag in (*one.opts, *one.secondary_opts)]
    better = did_you_mean(error.option_name, [flag for flag in own if flag.startswith("--")])
    of_others = {flag for one in OPTIONS.values() for flag in one.flag.split("/")}
    if error.option_name in of_others:
        better = ", which others have: it would do nothing here"
    return f"{error.message}{better}"


def _drop_output() -> None:
    """Let go of what cannot be written, lest Python tries again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stop(message: str, *, status: int | None = None) -> NoReturn:
    """Say on standard error, and with ``--json`` on standard output too, why it ends here."""
    from lightcurve.commands.shell import fitted, one_line, print_json

    if STOP.status:
        STOP.end()
    given = sys.argv[1:]
    if status is None:
        status = FAILED.get(next((word for word in given if not word.startswith("-")), ""), 1)
    try:
        if "--json" in given:
            print_json({"error": one_line(message)})
        sys.stdout.flush()
    except OSError:  # what is full may be just that
        _drop_output()
    with suppress(OSError):
        sys.stderr.write(fitted(f"lightcurve: {one_line(message)}", sys.stderr) + "\n")
    sys.exit(status)
