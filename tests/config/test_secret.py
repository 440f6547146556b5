import pickle
import traceback

from archiver.config.secret import Secret

KEY = "ptlc_0123456789"


def test_a_secret_never_shows_itself():
    secret = Secret(KEY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        repr([secret]),
    ]
    assert not [text for text in shown if "0123" in text]


def test_a_traceback_with_a_secret_in_a_local_does_not_show_it():
    def fail(secret: Secret) -> None:
        raise ValueError(secret)

    try:
        fail(Secret(KEY))
    except ValueError as exc:
        found = traceback.TracebackException.from_exception(exc, capture_locals=True)
        assert "0123" not in "".join(found.format())


def test_a_secret_is_revealed_only_when_asked():
    assert Secret(KEY).reveal() == KEY
    assert Secret(KEY) == Secret(KEY)
    assert Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert pickle.loads(pickle.dumps(Secret(KEY))).reveal() == KEY
