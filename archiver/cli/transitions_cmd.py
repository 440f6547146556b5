"""``archiver transitions``: status history and uptime."""

from typing import TYPE_CHECKING

import click

from archiver import errors
from archiver.cli import options
from archiver.cli.options import Command, Invocation
from archiver.cli.output import tell

if TYPE_CHECKING:
    from datetime import tzinfo

    from archiver.operations.transitions import Transition, Uptime
    from archiver.query.periods import Period

_SECOND = 1_000_000
_NAMES = ("at", "earliest_at", "server", "server_name", "run", "from", "to")
_NAMES_FOR_PROGRAMS = (*_NAMES, "lasted_seconds", "unknown_seconds", "inferred")
_NAMES_FOR_PEOPLE = ("at", "server", "server_name", "from", "lasted", "to", "inferred")
_LESS = ("server", "inferred")

_SHARES = ("running", "starting", "stopping", "offline", "unknown")
_SUMMARY = ("server", "server_name", "from", "to", *_SHARES, "restarts", "crashes")
_SUMMARY_FOR_PROGRAMS = (*_SUMMARY, "longest_offline_seconds")
_SUMMARY_FOR_PEOPLE = (*_SUMMARY, "longest")
_SUMMARY_LESS = ("server", "to", "stopping", "starting", "restarts")


@click.command(cls=Command, example="archiver transitions survival --summary --by day -S 7d")
@options.servers
@options.times
@click.option(
    "--summary", is_flag=True, help="How each server shared its time, instead of each change."
)
@click.option(
    "--by",
    type=click.Choice(["day", "week", "month", "all"]),
    help="What the summary's rows are for. Default: all of the time.",
)
@options.table_format
@options.pass_invocation
def transitions(
    invocation: Invocation,
    /,
    *,
    arguments: tuple[str, ...],
    names: tuple[str, ...],
    since: str | None,
    until: str | None,
    around: str | None,
    summary: bool,
    by: "Period | None",
    kind: str,
    utc: bool,
    tz: str | None,
) -> int:
    """
    List the changes of status, or how the time was shared.

    The oldest comes first. 'lasted' is how long the status before was, with how much
    of that nobody listened; 'earliest_at' (in ndjson and csv) is the last moment of
    that status, where the change was found after an absence. 'inferred': the daemon
    did not say it, its samples showed it.

    Time in which nobody listened is unknown: neither up nor down, but a share of its
    own. 'restarts' are runs that began, 'crashes' those that 'archiver crashes' lists,
    'longest' is the longest time offline without a break. A game whose start its
    daemon does not recognise stays 'starting'.
    """
    from archiver.cli.tables import print_table
    from archiver.operations.transitions import list_transitions, summarise

    if by is not None and not summary:
        raise errors.UsageError("--by parts a summary", do="add --summary, or leave it out")
    zone = options.chosen_zone(utc=utc, tz=tz)
    now = invocation.clock()
    first, last = options.chosen_times(since, until, around, now=now, zone=zone)
    is_text = kind == "text"
    with invocation.reader() as reader:
        server_ids = options.chosen_servers(reader, arguments, names)
        heads: tuple[str, ...]
        if summary:
            heads = _SUMMARY_FOR_PEOPLE if is_text else _SUMMARY_FOR_PROGRAMS
            shared = summarise(
                reader, server_ids, since=first, until=last, by=by or "all", zone=zone, now=now
            )
            rows = [_summary(each, zone if is_text else None) for each in shared]
        else:
            heads = _NAMES_FOR_PEOPLE if is_text else _NAMES_FOR_PROGRAMS
            found = list_transitions(reader, server_ids, since=first, until=last, now=now)
            rows = [_change(each, is_text=is_text) for each in found]
    less = _SUMMARY_LESS if summary else _LESS
    if not print_table(heads, rows, kind, zone=zone, invocation=invocation, less=less):
        tell("nothing of that time" if summary else "no changes of status")
        return 1
    return 0


def _change(each: "Transition", *, is_text: bool) -> tuple[object, ...]:
    from archiver.cli.tables import moment

    row = each.change
    if is_text:
        return (
            moment(row.at),
            row.identifier,
            row.server_name,
            row.previous,
            _lasted(each),
            row.status,
            row.inferred,
        )
    return (
        moment(row.at),
        moment(row.earliest_at),
        row.identifier,
        row.server_name,
        row.run_id,
        row.previous,
        row.status,
        None if each.lasted is None else each.lasted / _SECOND,
        None if each.unknown is None else each.unknown / _SECOND,
        row.inferred,
    )


def _lasted(each: "Transition") -> str | None:
    from archiver.query.times import format_duration

    if each.lasted is None:
        return None
    unknown = f" ({format_duration(each.unknown)} unknown)" if each.unknown else ""
    return format_duration(each.lasted) + unknown


def _summary(each: "Uptime", zone: "tzinfo | None") -> tuple[object, ...]:
    """Return a row; *zone*: for people, whose times these are."""
    from archiver.cli.tables import moment
    from archiver.query.times import format_duration, format_time

    server = (each.server.identifier, each.server.name)
    counts = (each.restarts, each.crashes)
    shares = [each.shares[status] for status in _SHARES]
    if zone is None:
        times = (moment(each.begin), moment(each.end))
        return (*server, *times, *shares, *counts, each.longest_offline / _SECOND)
    texts = [format_time(at, zone)[:16].removesuffix(" 00:00") for at in (each.begin, each.end)]
    longest = format_duration(each.longest_offline) if each.longest_offline else None
    return (*server, *texts, *map(_percent, shares), *counts, longest)


def _percent(share: float) -> str:
    """Return a share as a person reads it; only what is nothing or all is shown as that."""
    if share in {0, 1}:
        return f"{share:.0%}"
    return f"{min(max(100 * share, 0.01), 99.99):.2f}%"
