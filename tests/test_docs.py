"""The README names what there is, and says what is so."""

import re
from pathlib import Path

import click
import pytest

from archiver import __version__, errors
from archiver.cli.main import cli
from archiver.config.example import render_markdown

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def leaf_commands(group: click.Group, path: str = "archiver") -> list[str]:
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += leaf_commands(command, f"{path} {name}")
        else:
            found.append(f"{path} {name}")
    return found


@pytest.mark.parametrize("command", leaf_commands(cli))
def test_every_command_is_in_the_readme(command):
    group = README.split("## Commands")[1].split("\n## ")[0]
    last = command.rsplit(" ", 1)[1]

    assert command in README or f"`{last}`" in group


def test_the_readme_has_the_table_of_settings_as_the_program_makes_it():
    shown = README.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]

    assert render_markdown().strip() == shown.strip()


def test_the_readme_has_every_exit_code():
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    classes: list[type[errors.ArchiverError]] = [
        errors.ArchiverError,
        *errors.ArchiverError.__subclasses__(),
    ]

    assert {error.exit_code for error in classes} <= codes


def test_the_changelog_begins_with_this_version_or_what_is_not_released():
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.search(r"^## (.+)$", changes, re.MULTILINE)

    assert first is not None
    assert first[1] == "Unreleased" or first[1].startswith(__version__)
