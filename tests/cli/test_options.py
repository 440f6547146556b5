from datetime import UTC

import click
import pytest

from archiver import errors
from archiver.cli import options
from archiver.cli.options import Invocation
from archiver.cli.zones import LocalZone
from archiver.operations.export import SOURCES

NOW = 1_795_096_800_000_000  # 2026-11-19 14:00:00 UTC


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("050", 50), ("all", None)])
def test_a_count_is_a_number_or_all(text, count):
    context, option = click.Context(click.Command("x")), click.Option(["-n"])
    assert options.read_count(context, option, text) == count


@pytest.mark.parametrize("text", ["0", "-1", "", "many", "1.5", "\u0662", "ALL"])
def test_anything_else_is_no_count(text):
    context, option = click.Context(click.Command("x")), click.Option(["-n"])
    with pytest.raises(click.BadParameter, match="not a number from 1, or all"):
        options.read_count(context, option, text)


def test_a_count_may_begin_elsewhere():
    context, option = click.Context(click.Command("x")), click.Option(["-n"])
    assert options.read_count(context, option, "0", least=0) == 0


@pytest.mark.parametrize(("until", "around"), [("1h", None), (None, "1h")])
def test_what_goes_on_has_no_end(until, around):
    options.refuse_end({"since": "2h", "until": None, "around": None})
    with pytest.raises(errors.UsageError, match="--follow contradicts"):
        options.refuse_end({"until": until, "around": around})


def test_the_zone_is_local_or_the_one_that_is_named():
    assert isinstance(options.chosen_zone(utc=False, tz=None), LocalZone)
    assert options.chosen_zone(utc=True, tz=None) is UTC
    with pytest.raises(errors.UsageError, match="contradict"):
        options.chosen_zone(utc=True, tz="Asia/Tokyo")


@pytest.mark.parametrize(
    ("since", "until", "around", "said"),
    [
        ("1h", None, None, "from 2026-11-19 13:00:00.000 to now, UTC\n"),
        (None, "1h", None, "from the beginning to 2026-11-19 13:00:00.000, UTC\n"),
        (None, None, "1h±1s", "from 2026-11-19 12:59:59.000 to 2026-11-19 13:00:01.000, UTC\n"),
        (None, None, None, ""),
    ],
)
def test_the_range_that_was_understood_is_said(capsys, since, until, around, said):
    options.chosen_times(since, until, around, now=NOW, zone=UTC)
    assert capsys.readouterr() == ("", said)


def test_a_range_ends_after_the_second_of_a_repeated_hour():
    zone = options.chosen_zone(utc=False, tz="Europe/Berlin")
    first, last = options.chosen_times(
        "2026-10-25 02:00", "2026-10-25 02:00", None, now=NOW, zone=zone
    )
    assert first is not None
    assert last is not None
    assert last - first == 3_600_000_000


@pytest.mark.parametrize(("since", "until"), [("1h", "1h"), ("1h", "2h")])
def test_a_range_that_holds_nothing_is_refused(since, until):
    with pytest.raises(errors.UsageError, match="ends before it begins"):
        options.chosen_times(since, until, None, now=NOW, zone=UTC)


def test_the_words_for_sources_are_those_of_the_export():

    assert dict(enumerate(options.SOURCES, 1)) == SOURCES


def test_settings_follow_options_and_warnings_go_to_stderr(tmp_path, capsys):
    key = tmp_path / "key"
    key.write_text("ptlc_1", encoding="utf-8")
    key.chmod(0o644)
    invocation = Invocation(data_dir=tmp_path, environ={"HOME": "/nowhere"})
    settings = invocation.settings(with_keys=True, url="https://p.example", api_key_file=key)
    assert settings.data_dir == tmp_path
    assert capsys.readouterr().err == (
        f"Warning: everyone can read the API key in {key}: chmod 600 {key}\n"
    )
