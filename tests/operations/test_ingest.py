import math
from dataclasses import replace
from pathlib import Path

import pytest

from archiver import errors
from archiver.config.secret import Secret
from archiver.config.settings import Settings
from archiver.console.timing import Timing
from archiver.operations.ingest import Ingest, make_timing


@pytest.mark.parametrize(("set_to", "interval"), [(60.0, 60.0), (0.0, math.inf)])
def test_the_settings_name_intervals(set_to, interval):
    settings = Settings(
        data_dir=Path("/srv"),
        database_url="sqlite:////srv/archive.db",
        commit_interval=0.5,
        audit_interval=set_to,
    )

    assert make_timing(settings) == Timing(commit_interval=0.5, audit_interval=interval)


@pytest.fixture
def take_once(configure, timing):
    """Take the replays of all servers; the keys of the first panels may be wrong."""

    async def take(*panels, wrong_keys: int = 0) -> None:
        settings = configure(*panels)
        wrong = [
            replace(panel, api_keys=(Secret("ptlc_wrong"),))
            for panel in settings.panels[:wrong_keys]
        ]
        settings = replace(settings, panels=(*wrong, *settings.panels[wrong_keys:]))
        await Ingest(settings, once=True, timing=timing).run()

    return take


async def test_a_refused_key_is_no_4_where_another_key_works(serving, take_once, archive):
    async with serving(games=("bot",)) as one, serving(seed=2, games=("paper",)) as two:
        with pytest.raises(errors.RemoteError, match="does not know the API key"):
            await take_once(one, two, wrong_keys=1)
    assert archive.texts("Survival")


async def test_a_refused_key_is_a_4_where_no_key_works(serving, take_once):
    async with serving() as one, serving(seed=2) as two:
        with pytest.raises(errors.AuthError):
            await take_once(one, two, wrong_keys=2)


async def test_each_server_whose_replay_was_not_taken_is_told_once(serving, take_once, said):
    async with serving(servers=3, games=("paper",)) as panel:
        for name in ("Survival", "Creative"):
            panel.world.forget(name)
        with pytest.raises(errors.RemoteError, match="does not have this server"):
            await take_once(panel)
    assert len(said("listening_ended")) == 1  # the other one is raised
    assert said("connection_failed") == []


async def test_once_does_not_wait_for_a_node_that_stays_away(serving, take_once, archive):
    async with serving(servers=2, nodes=2, games=("paper",)) as panel:
        panel.world.server("Survival").node.up = False
        with pytest.raises(errors.RemoteError):
            await take_once(panel)
        refused = panel.world.server("Survival").uuid
        assert panel.world.counters.total("turned away", refused) == 3
    assert archive.texts("Creative")
