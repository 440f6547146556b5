import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from archiver import __version__, errors
from archiver.cli import main
from archiver.cli.options import Command


def walk(group: click.Group = main.cli, path: tuple[str, ...] = ()):
    context = click.Context(group, info_name="archiver", auto_envvar_prefix="ARCHIVER")
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from walk(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(walk())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help_that_ends_in_an_example_of_itself(archiver, path):
    result = archiver(*path, "--help")
    example = result.out.rstrip().splitlines()[-1]
    assert result.code == 0
    assert example.startswith("  archiver " + " ".join(path))
    assert COMMANDS[path].help
    assert all(len(line) <= 80 for line in result.out.splitlines())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_example_is_a_command_line_that_parses(path):
    command = COMMANDS[path]
    assert isinstance(command, Command)
    words = shlex.split(command.example)
    assert words[: 1 + len(path)] == ["archiver", *path]
    command.make_context("x", words[1 + len(path) :])


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_option_says_what_it_is_for(path):
    for parameter in COMMANDS[path].params:
        assert not isinstance(parameter, click.Option) or parameter.help, parameter.name


def test_the_list_of_commands_says_what_the_commands_say():
    context = click.Context(main.cli)
    for section in main.COMMANDS.values():
        for name, words in section.items():
            command = main.cli.get_command(context, name)
            assert command is not None
            assert (command.help or "").strip().splitlines()[0] == words


def test_a_mirrored_option_has_one_variable_only(archiver, data_dir, monkeypatch):
    monkeypatch.setenv("ARCHIVER_INGEST_PANEL_URL", "https://evil.example")
    monkeypatch.setenv("ARCHIVER_INGEST_API_KEY_FILE", "/etc/passwd")
    monkeypatch.setenv("ARCHIVER_VERSION", "1")
    result = archiver("ingest")
    assert result.code == 3
    assert "no panel is configured" in result.err


def test_an_option_of_a_command_has_a_variable(archiver, archive, monkeypatch):
    monkeypatch.setenv("ARCHIVER_LOGS_LINES", "1")
    monkeypatch.setenv("ARCHIVER_LOGS_OUTPUT", "raw")
    assert archiver("logs").out == "Notch left\n"
    monkeypatch.setenv("ARCHIVER_GAPS_ALL", "1")
    assert len(archiver("gaps").out.splitlines()) == 3


def test_the_version_is_the_package_s(archiver):
    assert archiver("--version").out == f"archiver {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fly"], "Error: no such command 'fly'\n  where: archiver\n"),
        (["logs", "--jump"], "Error: no such option '--jump'\n  where: archiver logs\n"),
        (["export", "lines", "-n", "0"], "'0' is not a number from 1, or all"),
        (["logs", "-o", "xml"], "'xml' is not one of"),
        (["export"], "Usage: archiver export"),
        ([], "Usage: archiver"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(archiver, arguments, message):
    result = archiver(*arguments)
    assert result.code == 2
    assert result.out == ""
    assert message in result.err


def test_an_error_is_told_in_three_parts_on_stderr(archiver, tmp_path, monkeypatch):
    monkeypatch.setenv("ARCHIVER_DATA_DIR", str(tmp_path / "none"))
    result = archiver("logs")
    assert result.code == 3
    assert result.out == ""
    assert result.err.splitlines() == [
        "Error: there is no archive yet",
        f"  where: {tmp_path}/none/archive.db",
        "  do:    run 'archiver ingest' (it creates the archive)",
    ]


def test_control_characters_in_an_error_are_shown_not_sent(archiver, archive):
    result = archiver("logs", "\x1b[2J\u202e\n")
    assert result.code == 2
    assert "\x1b" not in result.err
    assert "\u202e" not in result.err


def raising(monkeypatch: pytest.MonkeyPatch, exc: BaseException) -> None:
    def fail(*_: object) -> None:
        raise exc

    monkeypatch.setattr("archiver.cli.options.Invocation.reader", fail)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, EOFError, click.Abort])
def test_an_interrupt_ends_with_130_and_no_traceback(archiver, monkeypatch, kind):
    raising(monkeypatch, kind())
    result = archiver("logs")
    assert result.code == 130
    assert "Traceback" not in result.err


def test_a_bug_shows_its_traceback_and_what_to_do(archiver, monkeypatch):
    raising(monkeypatch, RuntimeError("oops \x1b[2J"))
    result = archiver("logs")
    assert result.code == 70
    assert "Traceback (most recent call last)" in result.err
    assert "RuntimeError: oops \\u001b[2J" in result.err
    assert "Error: this is a bug in archiver" in result.err


def test_every_error_has_its_exit_code(archiver, monkeypatch):
    raising(monkeypatch, errors.IncompleteError("cut"))
    assert archiver("logs").code == 5


def program(*arguments: str, **more) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "archiver", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        **more,
    )


def test_the_installed_program_answers_in_utf_8_whatever_the_locale(archive, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    result = program("logs", "--help", encoding="utf-8")
    assert "T[±D]" in result.stdout
    assert result.returncode == 0
    assert result.stderr == ""


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_output_is_nobody_and_no_bug(archive, closed):
    command = f"exec {sys.executable} -m archiver runs {closed}>&-"
    result = subprocess.run(["sh", "-c", command], capture_output=True, check=False, timeout=20)
    assert (result.returncode, result.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
@pytest.mark.parametrize("command", ["status", "logs", "config show", "export lines", "--help"])
def test_output_to_a_full_disk_is_an_incomplete_result_and_no_bug(archive, command):
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        result = subprocess.run(
            [sys.executable, "-m", "archiver", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=20,
        )
    assert result.returncode == 5
    assert result.stderr.endswith(
        "Error: output cannot be written: No space left on device\n"
        "  where: standard output\n"
        "  do:    free space, or write it elsewhere\n"
    )


def test_a_closed_pipe_ends_quietly(archive):
    with subprocess.Popen(
        [sys.executable, "-m", "archiver", "logs", "-n", "all"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        (["--help"], ["archiver.store", "archiver.config", "sqlite3", "asyncio", "json"]),
        (["logs", "-n", "5"], ["sqlalchemy", "alembic", "httpx", "websockets", "rich", "asyncio"]),
        (["export", "lines"], ["sqlalchemy", "alembic", "httpx", "websockets", "rich"]),
        (["config", "show"], ["sqlalchemy", "sqlite3", "httpx", "websockets", "rich"]),
    ],
    ids=lambda value: value[0],
)
def test_a_command_imports_only_what_it_needs(archive, arguments, unwanted):
    code = (
        "import sys; from archiver.cli.main import main; main(sys.argv[1:]);"
        "print(*sorted({n for n in sys.modules}), file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        cwd=Path(__file__).parent,
    )
    imported = result.stderr.splitlines()[-1].split()
    assert "archiver.cli.main" in imported
    assert not [name for name in imported if name in unwanted]


def test_verbose_is_an_option_of_the_program_and_not_a_variable(archive, monkeypatch):
    monkeypatch.setenv("ARCHIVER_VERBOSE", "9")
    assert program("-vv", "logs", "-n", "1").returncode == 0
    assert program("logs", "-n", "1").returncode == 0
