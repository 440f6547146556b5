"""Turn the names that people write into servers and runs of the archive."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from archiver import errors
from archiver.store.rows import RunRow, ServerRow

_GLOB = frozenset("*?[")


def select_servers(servers: Sequence[ServerRow], names: Iterable[str]) -> tuple[int, ...]:
    """
    Return the ids of the servers that *names* name, in the order of *servers*.

    A name is an identifier, a uuid, or a server's name in any case; with ``*``,
    ``?`` or ``[`` it is a glob over these, which may fit several.

    Raises:
        UsageError: A name fits nothing, or without a glob two servers.

    """
    wanted: set[int] = set()
    for name in names:
        found = _exact(servers, name) or _by_glob(servers, name)
        if not found:
            raise errors.UsageError(
                f"no server is called {name!r}", do="see 'archiver servers' for all there are"
            )
        wanted.update(server.id for server in found)
    return tuple(server.id for server in servers if server.id in wanted)


def _exact(servers: Sequence[ServerRow], name: str) -> list[ServerRow]:
    # An identifier goes before a name: anyone can name a server as another's identifier.
    for found in (
        [server for server in servers if name in {server.identifier, server.uuid}],
        [server for server in servers if server.name.casefold() == name.casefold()],
    ):
        if len(found) > 1:
            raise errors.UsageError(
                f"{name!r} fits {len(found)} servers",
                where=", ".join(f"{s.uuid} ({s.name!r} on {s.panel!r})" for s in found),
                do="write the uuid of the one that is meant",
            )
        if found:
            return found
    return []


def _by_glob(servers: Sequence[ServerRow], name: str) -> list[ServerRow]:
    if not _GLOB.intersection(name):
        return []
    return [
        server
        for server in servers
        if fnmatchcase(server.identifier, name)
        or fnmatchcase(server.uuid, name)
        or fnmatchcase(server.name.casefold(), name.casefold())
    ]


def select_runs(runs: Sequence[RunRow], name: str) -> tuple[int, ...]:
    """
    Return the ids of the runs that *name* names: a number, ``last`` or ``previous``.

    Args:
        runs: Of the servers in question, oldest first.
        name: ``last`` and ``previous`` name one run of each server.

    Raises:
        UsageError: There is no such run.

    """
    if name.isascii() and name.isdecimal():
        found = [run.id for run in runs if run.id == int(name)]
    elif name in {"last", "previous"}:
        by_server: dict[int, list[int]] = {}
        for run in runs:
            by_server.setdefault(run.server_id, []).append(run.id)
        back = 1 if name == "last" else 2
        found = [ids[-back] for ids in by_server.values() if len(ids) >= back]
    else:
        found = []
    if not found:
        raise errors.UsageError(
            f"there is no run {name!r}",
            do="write a number of 'archiver runs', or last, or previous",
        )
    return tuple(found)
