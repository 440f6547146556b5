import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import FishComplete, ZshComplete

from archiver.cli.main import cli

PROGRAM = Path(sys.executable).with_name("archiver")


@pytest.fixture
def servers(open_writer):
    """Servers with names of all kinds."""
    names = ("Survival", "survival 2", "Rust Main", "$(touch owned)", "Twin", "twin", "Łódź")
    with open_writer() as writer:
        for number, name in enumerate(names, 1):
            writer.register(
                panel_origin="o",
                panel_name="p",
                uuid=f"u{number}",
                identifier=f"{number}a2b3c4d",
                name=name,
                node="n",
                seen_at=0,
            )


def completed(*words: str) -> list[tuple[str, str]]:
    """What completes the last of *words*, with what is said beside it."""
    items = ZshComplete(cli, {}, "archiver", "_X").get_completions(list(words[:-1]), words[-1])
    return [(item.value, item.help or "") for item in items]


@pytest.mark.parametrize(
    "words",
    [
        ("logs",),
        ("logs", "-s"),
        ("logs", "rust", "--server"),
        ("context",),
        ("export", "lines"),
        ("gaps", "-s"),
        ("ingest", "-s"),
    ],
    ids=" ".join,
)
def test_names_are_completed_wherever_a_server_is_named(servers, words):
    assert completed(*words, "surv") == [("survival", "1a2b3c4d"), ("survival 2", "2a2b3c4d")]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("RU", [("RUst Main", "3a2b3c4d")]),
        ("3a", [("3a2b3c4d", "Rust Main")]),
        ("$", [("4a2b3c4d", "$(touch owned)")]),
        ("tw", [("5a2b3c4d", "Twin"), ("6a2b3c4d", "twin")]),
        ("łó", [("łódź", "7a2b3c4d")]),
        ("x", []),
    ],
)
def test_what_no_shell_takes_or_two_servers_have_is_named_by_identifier(servers, typed, found):
    assert completed("logs", typed) == found


def test_control_characters_of_a_name_are_not_said(archive):
    [(value, said)] = completed("logs", "evil")
    assert (value, said[:10]) == ("2a2b3c4d", "evil\\u001b")


@pytest.mark.parametrize(
    "environ",
    [
        {"ARCHIVER_DATA_DIR": "/nowhere"},
        {"ARCHIVER_CONFIG": "/dev/null/none"},
        {"ARCHIVER_DATABASE_URL": "mysql://"},
        {"ARCHIVER_DATABASE_URL": "postgresql://u@127.0.0.1:1/x"},
        {"ARCHIVER_COMMIT_INTERVAL": "soon"},
    ],
    ids=str,
)
def test_what_goes_wrong_is_not_said(servers, monkeypatch, capfd, environ):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert completed("logs", "") == []
    assert capfd.readouterr() == ("", "")


def test_the_archive_is_the_one_that_is_named_before(servers, data_dir, monkeypatch, tmp_path):
    monkeypatch.delenv("ARCHIVER_DATA_DIR")
    assert completed("logs", "rust") == []
    assert completed("--data-dir", str(data_dir), "logs", "rust") == [("rust Main", "3a2b3c4d")]
    config = tmp_path / "config.toml"
    config.write_text(f'data_dir = "{data_dir}"\n')
    assert completed("--config", str(config), "logs", "rust") == [("rust Main", "3a2b3c4d")]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("export", "lines", "-O"), "file"),
        (("ingest", "--api-key-file"), "file"),
        (("--config",), "file"),
        (("--data-dir",), "dir"),
    ],
    ids=str,
)
def test_files_are_left_to_the_shell(words, kind):
    items = FishComplete(cli, {}, "archiver", "_X").get_completions(list(words), "")
    assert [item.type for item in items] == [kind]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["archiver", "con"], ["context", "connections", "config"]),
        (["archiver", "logs", "-o", "n"], ["ndjson"]),
        (["archiver", "logs", "surv"], ["survival", r"survival\ 2"]),
        (["archiver", "logs", r"rust\ m"], [r"rust\ main"]),
        (["archiver", "logs", '"rust m'], ["rust main"]),
        (["archiver", "logs", "$"], ["4a2b3c4d"]),
    ],
    ids=" ".join,
)
def test_bash_gets_words_that_it_can_put_into_a_line(servers, tmp_path, words, replies):
    script = f"""
        PATH={PROGRAM.parent}:$PATH
        eval "$(archiver completion bash)"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _archiver_completion archiver
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert (done.stdout.splitlines(), done.stderr) == (replies, "")
