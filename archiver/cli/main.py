"""
The command ``archiver``: its commands, and the one place where errors end.

A command's module is imported when the command is called: help and completion must
not wait for a database library.
"""

import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

import click

from archiver import __version__, errors
from archiver.cli.options import Invocation
from archiver.cli.output import tell

# Section -> command -> first line of its help, which a test holds equal to the
# command's own. The command NAME is NAME in archiver/cli/NAME_cmd.py.
COMMANDS = {
    "Record": {
        "demo": "Show the archiver at work, with a simulated panel.",
        "setup": "Ask for a panel and a key, test them, write the configuration.",
        "ingest": "Record the consoles of all configured servers.",
        "import": "Put log files into a server's history, at their places in time.",
    },
    "Read": {
        "status": "Show whether recording works, and how each server stands.",
        "search": "Find lines, the newest hits by default, printed oldest first.",
        "logs": "Print recorded lines, the newest last.",
        "context": "Print the lines around one.",
        "export": "Write what is recorded for other programs.",
        "servers": "List the servers.",
        "runs": "List the lives of the game processes.",
        "crashes": "List the runs that ended without a stop.",
        "transitions": "List the changes of status, or how the time was shared.",
        "connections": "List the connections to consoles.",
        "gaps": "List where lines are known to be missing.",
    },
    "Look after": {
        "config": "Make, show and find the configuration.",
        "db": "Look after the database.",
        "index": "Look after the search index.",
        "completion": "Print what lets a shell complete commands and servers.",
    },
}

_INTERRUPTED = 130  # 128 + SIGINT
_CLOSED_PIPE = 141  # 128 + SIGPIPE, as of programs that the signal ends
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _ClosedPipeError(Exception):
    """Whoever read our output has gone; Click would exit with 1, which means nothing found."""


class _Archiver(click.Group):
    """The group of all commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # Click's signature
        return [name for section in COMMANDS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = import_module(f"archiver.cli.{cmd_name}_cmd")
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  # Click's signature
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(section.items()))

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as exc:
            raise _ClosedPipeError from exc


@click.group(
    cls=_Archiver,
    context_settings={"auto_envvar_prefix": "ARCHIVER", "help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done or found, 1 nothing found, 2 usage, 3 configuration or database, "
    "4 key refused, 5 result incomplete, 6 remote unreachable, 7 check failed, 130 interrupted.",
)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    allow_from_autoenv=False,
    help="Configuration file (env: ARCHIVER_CONFIG).",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    allow_from_autoenv=False,
    help="Directory of the archive (env: ARCHIVER_DATA_DIR).",
)
@click.option(
    "-v",
    "--verbose",
    count=True,
    allow_from_autoenv=False,
    help="Say more on stderr; -vv still more.",
)
@click.version_option(
    __version__, "--version", message="%(prog)s %(version)s", allow_from_autoenv=False
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None, data_dir: Path | None, verbose: int) -> None:
    """Record the consoles of game servers, and find any line again."""
    if verbose:
        from archiver.cli import log

        log.configure(verbose)
    ctx.obj = Invocation(config, data_dir, verbose)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line, None: this process's, and return the exit code."""
    try:
        code = cli.main(arguments, prog_name="archiver", standalone_mode=False)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001  # the one place where errors end
        return _explain(exc)
    return code if isinstance(code, int) else 0


def _explain(exc: BaseException) -> int:
    """Say what went wrong, and return the exit code."""
    match exc:
        case errors.ArchiverError():
            tell(f"Error: {exc}")
            code = exc.exit_code
        case click.exceptions.NoArgsIsHelpError():
            tell(exc.format_message())
            code = errors.UsageError.exit_code
        case click.ClickException():
            tell(f"Error: {_from_click(exc)}")
            code = errors.UsageError.exit_code
        case click.Abort() | KeyboardInterrupt():
            code = _INTERRUPTED
        case BrokenPipeError() | _ClosedPipeError():
            _drop_output()
            code = _CLOSED_PIPE
        case OSError() if exc.errno in _FULL:  # the archive's disk is told by the store
            _drop_output()
            code = _explain(
                errors.IncompleteError(
                    f"output cannot be written: {exc.strerror}",
                    where="standard output",
                    do="free space, or write it elsewhere",
                )
            )
        case _:
            import traceback

            tell("".join(traceback.format_exception(exc)))
            tell(
                "Error: this is a bug in archiver\n"
                f"  where: archiver {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n"
                "  do:    report it with the lines above"
            )
            code = errors.ArchiverError.exit_code
    return code


def _drop_output() -> None:
    """Let Python's exit write what is still buffered to nobody."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _from_click(exc: click.ClickException) -> errors.UsageError:
    """Say what Click says as the other errors say it."""
    message = exc.format_message().rstrip(".")
    context = exc.ctx if isinstance(exc, click.UsageError) else None
    path = "archiver" if context is None else context.command_path
    do = f"run '{path} --help'"
    if isinstance(exc, click.NoSuchOption) and path == "archiver search":
        do += f"; what begins with - is found by {path} -F -- '-text'"
    return errors.UsageError(message[:1].lower() + message[1:], where=path, do=do)


def run() -> None:
    """Be the program: what ``archiver`` and ``python -m archiver`` call."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us; its number is free
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # to the end
    for stream in (sys.stdout, sys.stderr):
        # Other programs expect UTF-8; a name may hold what UTF-8 cannot.
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]  # both are files here
    sys.exit(main())
