import pytest

from archiver import errors
from archiver.operations.select import select_runs, select_servers
from archiver.store.rows import RunRow, ServerRow


def server(number: int, name: str, *, panel: str = "main", identifier: str = "") -> ServerRow:
    identifier = identifier or f"{number}a2b3c4d"
    return ServerRow(number, panel, identifier, f"uuid-{number}", name, "node1", 0, 0, None)


def run(number: int, server_id: int) -> RunRow:
    return RunRow(number, server_id, number, "first", None, None, None, None, "i", "n")


SERVERS = [
    server(1, "Survival"),
    server(2, "Creative"),
    server(3, "survival-2"),
    server(4, "Lobby", panel="one"),
    server(5, "lobby", panel="two"),
    server(6, "1a2b3c4d"),  # called like another's identifier
    server(7, "East", panel="one", identifier="same"),
    server(8, "West", panel="two", identifier="same"),
    server(9, "what [beta]"),
]


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        (["1a2b3c4d"], (1,)),
        (["uuid-2"], (2,)),
        (["SURVIVAL"], (1,)),
        (["survival*"], (1, 3)),
        (["?a2b3c4d"], (1, 2, 3, 4, 5, 6, 9)),
        (["lobby*"], (4, 5)),
        (["creative", "1a2b3c4d", "creative"], (1, 2)),
        (["what [beta]"], (9,)),
        ([], ()),
    ],
)
def test_a_server_is_found_by_identifier_uuid_name_or_glob(names, ids):
    assert select_servers(SERVERS, names) == ids


@pytest.mark.parametrize(("name", "uuids"), [("Lobby", "45"), ("same", "78")])
def test_a_name_that_fits_two_servers_lists_them(name, uuids):
    with pytest.raises(errors.UsageError, match=f"{name!r} fits 2 servers") as caught:
        select_servers(SERVERS, [name])
    for number in uuids:
        assert f"uuid-{number}" in str(caught.value)
    assert "'one'" in str(caught.value)


@pytest.mark.parametrize("name", ["nobody", "no*", "surviva", ""])
def test_a_name_that_fits_nothing_is_refused(name):
    with pytest.raises(errors.UsageError, match="no server is called"):
        select_servers(SERVERS, ["survival", name])


RUNS = [run(1, 1), run(2, 2), run(3, 1), run(4, 1)]


@pytest.mark.parametrize(
    ("name", "ids"), [("3", (3,)), ("last", (4, 2)), ("previous", (3,)), ("03", (3,))]
)
def test_a_run_is_found_by_number_or_from_the_end(name, ids):
    assert select_runs(RUNS, name) == ids


@pytest.mark.parametrize("name", ["5", "first", "", "-1", "²"])
def test_a_run_that_is_not_there_is_refused(name):
    with pytest.raises(errors.UsageError, match="there is no run"):
        select_runs(RUNS, name)


def test_no_server_with_two_runs_has_no_previous_one():
    with pytest.raises(errors.UsageError):
        select_runs(RUNS[:2], "previous")
