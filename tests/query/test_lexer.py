import pytest

from archiver.query import lexer
from archiver.query.lexer import Kind
from archiver.query.nodes import Word

MARKS = {Kind.OPEN: "(", Kind.CLOSE: ")", Kind.AND: "AND", Kind.OR: "OR", Kind.NOT: "NOT"}


def shown(token: lexer.Token) -> str:
    return "-" * token.is_negated + MARKS.get(token.kind, str(token.node))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a NOT b", ["a", "NOT", "b"]),
        ("-a -(b) -c.d", ["-a", "-(", "b", ")", '-"c d"']),
        ("(a) ((b))", ["(", "a", ")", "(", "(", "b", ")", ")"]),
        ("f(a) g(b))", ['"f a"', '"g b"', ")"]),
        (":) foo) --", [")", "foo", ")"]),
        ('"a b"c -"d', ['"a b"', "c", "d"]),
        ("NOT) -NOT (OR", ["NOT", ")", "-not", "(", "OR"]),
        ("a.b.c*.d?", ['"a b" c* d?']),
        ("-/a b/ -/a/", ["a", "b", "-/a/"]),
        ("level:warn)", ["level:warn", ")"]),
        (" ", []),
    ],
)
def test_a_text_falls_into_tokens(text, tokens):
    assert [shown(token) for token in lexer.tokens(text)] == tokens


def test_an_operator_is_also_a_word():
    (token,) = lexer.tokens("NOT")
    assert (token.kind, token.node) == (Kind.NOT, Word("not"))
