import pytest

from archiver import errors


def test_queries_are_read_by_their_names(loading):
    settings = loading("[queries]\ncrash = 'level:fatal'\n\"slow-tick\" = 'behind'\n")
    assert settings.queries == {"crash": "level:fatal", "slow-tick": "behind"}
    assert ("queries.crash", "level:fatal", str(settings.file)) in list(settings.rows())


def test_without_a_table_there_are_none(loading):
    assert loading("").queries == {}


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("queries = 3\n", "queries is 3, not a table", 1),
        ("[queries]\n'a b' = 'x'\n", "'a b' cannot be the name of a query", 2),
        ("[queries]\ncrash = 3\n", "query 'crash' is 3, not a text", 2),
        ("[queries]\ncrash = ' '\n", "query 'crash' is ' ', not a text", 2),
    ],
)
def test_what_is_no_query_is_told_with_its_place(loading, text, what, line):
    with pytest.raises(errors.ConfigError) as caught:
        loading(text)
    assert caught.value.what == what
    assert str(caught.value.where).endswith(f", line {line}")
