from dataclasses import asdict

from archiver.console.timing import Timing


def test_all_waits_scale_together():
    usual, fast = asdict(Timing()), asdict(Timing().scaled(0.01))
    assert {name: wait / 100 for name, wait in usual.items()} == fast


def test_waits_fit_what_they_follow_from(timing):
    assert timing.auth_spacing > 5  # newer daemons take one auth per 5 s
    assert timing.throttled_wait > 5  # and one `send logs`
    assert timing.renew_before > 60  # the daemon's own warning comes then
    assert timing.replay_quiet < timing.replay_empty < timing.replay_timeout
    assert timing.ping_interval + timing.ping_timeout < 60  # nginx cuts idle sockets
