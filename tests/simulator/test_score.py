import json
from collections import Counter
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archiver.console.lines import comparison_key, scrub, searchable_text
from archiver.simulator import score
from archiver.simulator.container import decode, live_pieces
from archiver.simulator.score import Score, add_up, main, plain, score_lines
from archiver.simulator.texts import KINDS
from archiver.simulator.truth import KnownLine, read_rows, write_rows


def known(
    texts: list[str] | str, *, unheard: str = "", hopeless: str = "", server: str = "1a7ce997"
) -> list[KnownLine]:
    """Return true lines; *unheard* and *hopeless* mark with x those not live, not to be had."""
    lines = []
    for number, text in enumerate(texts):
        heard = unheard[number : number + 1] != "x"
        possible = hopeless[number : number + 1] != "x"
        live = (text,) if text else ()
        lines.append(
            KnownLine(server, number + 1, 1, number, text, live, heard, possible, number or None)
        )
    return lines


def counts(got: Score) -> tuple[int, int, int]:
    return (got.lost, got.repeated, got.misordered)


def places(got: Score) -> list[tuple[str, int, int]]:
    return [(error.kind, error.place, error.lines) for error in got.errors]


@pytest.mark.parametrize(
    ("stored", "expected", "where"),
    [
        ("abcdef", (0, 0, 0), []),
        ("", (6, 0, 0), [("lost", 1, 6)]),
        ("abef", (2, 0, 0), [("lost", 3, 2)]),
        ("bcde", (2, 0, 0), [("lost", 1, 1), ("lost", 6, 1)]),
        ("abcdbcdef", (0, 3, 0), [("repeated", 5, 3)]),
        ("abcdefz", (0, 1, 0), [("repeated", 7, 1)]),
        ("acbdef", (0, 0, 1), [("misordered", 4, 1)]),
        ("fabcde", (0, 0, 1), [("misordered", 1, 1)]),
        ("abzdef", (1, 1, 0), [("lost", 3, 1), ("repeated", 3, 1)]),
    ],
)
def test_each_error_has_its_kind_and_its_place(stored, expected, where):
    got = score_lines(known("abcdef"), stored)
    assert (counts(got), places(got), got.recoverable) == (expected, where, 6)
    assert got.wrong == sum(expected)


def test_what_could_not_be_had_may_be_stored_or_not():
    truth = known("abxxcd", hopeless="..xx..")
    for stored in ("abcd", "abxcd", "abxxcd"):
        assert counts(score_lines(truth, stored)) == (0, 0, 0)
    assert score_lines(truth, "abxxxcd").repeated == 1
    assert score_lines(truth, "xabcd").repeated == 1
    assert places(score_lines(truth, "abd")) == [("lost", 5, 1)]
    assert places(score_lines(truth, "abxxd")) == [("lost", 5, 1)]


def test_lost_lines_around_one_that_could_not_be_had_are_one_place():
    assert places(score_lines(known("abxcd", hopeless="..x"), "ad")) == [("lost", 2, 2)]


@pytest.mark.parametrize(
    "raw",
    [b"plain", b"foo \rbar", b"10%\r20%", b"foo \r", b"\x1b[31mred\x1b[0m", b"a\0b", b"\xff",
     b"  \r  x", b"x" * 255 + b" \r" + b"y", "\u2028 \u202e".encode(), b" ", b"\t"],
)  # fmt: skip
def test_live_and_replayed_form_of_a_line_count_as_the_same(raw):
    replayed = decode((raw + b"\r").removesuffix(b"\r"))
    live = tuple(map(decode, live_pieces(raw + b"\r\n")))
    truth = [
        KnownLine("s", 1, 1, 0, replayed, live, heard=True, recoverable=True, first_possible=0)
    ]
    forms = [replayed, *live, *map(searchable_text, map(scrub, (replayed, *live)))]
    assert [counts(score_lines(truth, [form])) for form in forms] == [(0, 0, 0)] * len(forms)


@given(st.text(st.sampled_from("ab \r\n\t\0\x1b[]m1;\x07\\\x85\x9b\u2028\u202e\x7f"), max_size=20))
@example("\x1b]0;title\x07x \r\n y")
def test_the_compared_form_is_what_an_archive_stores(text):
    assert plain(text) == searchable_text(scrub(text))
    assert plain(plain(text)) == plain(text)


@given(st.text("a \r\n", max_size=5))
def test_lines_that_live_viewers_never_get_are_not_missed(text):
    assert score_lines(known([text]), []).recoverable == bool(comparison_key(text))


def test_a_line_of_several_live_pieces_is_stored_as_these():
    pieces = ("x" * 65_536, "xxx")
    truth = [KnownLine("s", 1, 1, 0, "x" * 65_800, pieces, heard=True, recoverable=True, first_possible=0)]  # fmt: skip
    assert counts(score_lines(truth, list(pieces))) == (0, 0, 0)
    assert counts(score_lines(truth, [pieces[0]])) == (1, 0, 0)


# As few errors as can be


def fewest(truth: list[KnownLine], stored: str) -> int:
    """Return how few errors a matching leaves, by the textbook's table."""
    row = list(range(len(stored) + 1))
    for line in truth:
        before, row[0] = row[0], row[0] + line.recoverable
        for place, text in enumerate(stored, start=1):
            here = row[place]
            row[place] = min(
                here + line.recoverable,
                row[place - 1] + 1,
                before if line.text == text else len(truth) + len(stored),
            )
            before = here
    return row[-1]


LETTERS = st.text("abc", max_size=24)


@given(LETTERS, st.text(".x", max_size=24), LETTERS)
@example("ab", "x.", "ba")
@example("aab", "..x", "ba")
def test_no_reading_has_fewer_errors(texts, hopeless, stored):
    truth = known(texts, hopeless=hopeless)
    got = score_lines(truth, stored)
    assert got.lost + got.repeated + 2 * got.misordered == fewest(truth, stored)
    assert got.recoverable == sum(line.recoverable for line in truth)
    assert sum(error.lines for error in got.errors) == got.wrong


@given(st.integers(0, 10**9), st.sampled_from([1, 3, 500]))
def test_errors_of_a_distinct_log_are_counted_exactly_wherever_it_is_cut(seed, chunk):
    random = Random(seed)
    texts = [f"line {number}" for number in range(random.randrange(20, 200))]
    hopeless = "".join(random.choice("....x") for _ in texts)
    stored = list(texts)
    wrong = Counter[str]()
    for number in sorted(random.sample(range(0, len(texts) - 2, 3), k=5), reverse=True):
        match random.randrange(3):
            case 0:
                wrong["lost"] += hopeless[number] == "."
                del stored[number]
            case 1:
                wrong["repeated"] += 1
                stored.insert(number, stored[number])
            case _:
                # Of two that change places one is wrong; if one may be lost, repeated instead.
                both = hopeless[number : number + 2] == ".."
                wrong["misordered" if both else "repeated"] += 1
                stored[number : number + 2] = reversed(stored[number : number + 2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(score, "CHUNK", chunk)
        got = score_lines(known(texts, hopeless=hopeless), stored)
    assert counts(got) == (wrong["lost"], wrong["repeated"], wrong["misordered"])


def test_a_line_that_occurs_once_is_misordered_at_any_distance_another_only_nearby():
    numbers = [f"{number}" for number in range(500)]
    moved = [*numbers[1:], numbers[0]]
    assert counts(score_lines(known(numbers), moved, replay_size=10)) == (0, 0, 1)
    twice = ["q", *numbers, "q"]
    assert counts(score_lines(known(twice), [*numbers, "q", "q"], replay_size=10)) == (1, 1, 0)
    assert counts(score_lines(known(twice), [*numbers, "q", "q"], replay_size=300)) == (0, 0, 1)


@pytest.mark.parametrize("chunk", [1, 500])
def test_a_moved_block_counts_as_the_shorter_of_what_changed_places(chunk, monkeypatch):
    monkeypatch.setattr(score, "CHUNK", chunk)
    texts = [f"{number}" for number in range(200)]
    for begin, middle, end in ((50, 70, 120), (50, 100, 120)):
        moved = texts[:begin] + texts[middle:end] + texts[begin:middle] + texts[end:]
        assert counts(score_lines(known(texts), moved)) == (0, 0, 20)


def test_a_moved_line_that_nothing_around_it_supports_is_no_place_to_cut():
    texts = ["abc"[number % 3] for number in range(1800)]
    truth, stored = list(texts), list(texts)
    truth.insert(900, "once")
    stored.insert(902, "once")
    assert counts(score_lines(known(truth), stored)) == (0, 0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_log_of_any_kind_is_scored_in_seconds_and_no_worse_than_it_is(kind):
    random = Random(2)
    text = KINDS[kind]()
    texts = [text(random, number * 200_000) for number in range(30_000)]
    hopeless = "".join("x" if number % 3000 < 200 else "." for number in range(30_000))
    stored, made = [], 0
    for number, line in enumerate(texts):
        if hopeless[number] == ".":
            again = random.choices((0, 1, 2), (1, 97, 1))[0]
            made += again != 1
            stored += [line] * again
    got = score_lines(known(texts, hopeless=hopeless), stored)
    assert 0.9 * made * (kind in ("distinct", "seconds")) <= got.wrong <= made
    assert score_lines(known(texts), texts).wrong == 0


# What nobody could know


def decidable(truth: list[KnownLine], stored: str | list[str], size: int) -> list[bool]:
    return [error.decidable for error in score_lines(truth, stored, replay_size=size).errors]


def test_an_error_in_text_that_goes_on_like_this_is_undecidable():
    assert decidable(known("x" * 40), "x" * 37, 10) == [False]
    assert decidable(known("x" * 40), "x" * 44, 10) == [False]
    assert decidable(known("abc" * 20), "abc" * 19, 10) == [False]
    assert decidable(known("abc" * 20), "abc" * 21, 10) == [False]


def test_an_error_that_is_no_shift_of_the_text_is_decidable():
    assert decidable(known("abc" * 20), "abc" * 10 + "bc" + "abc" * 9, 10) == [True]
    assert decidable(known("abc" * 20), "abc" * 10 + "ba" + "abc" * 10, 10) == [True]
    assert decidable(known([f"{n}" for n in range(40)]), [f"{n}" for n in range(37)], 10) == [True]


def test_a_unique_line_within_the_window_decides():
    texts = "xxxxx1xxxxx2xxxxx3xxxxx4xxxxx"
    assert decidable(known(texts), texts.replace("2xxxxx", "2xxxx"), 10) == [True]
    assert decidable(known(texts), texts.replace("2xxxxx", "2xxxxxx"), 10) == [True]
    assert decidable(known(texts), texts.replace("2xxxxx", "2xxxx"), 4) == [False]


@pytest.mark.parametrize(
    ("before", "missed", "expected"),
    [
        # A replay of 10 shows "xxxx......"; 4 of the archive fit, though 2 are the same.
        ("123456xxxx", "xxabcdef", False),
        # Only 3 of the archive are equal, so 4 do not fit.
        ("1234567xxx", "xxabcdef", True),
        # It shows one line more of the archive, and so the one before the equal ones.
        ("123456xxxx", "xxabcde", True),
        # All of it is new; that its first lines look known is chance.
        ("12345678xx", "xxabcdefgh", False),
        ("12345678yx", "xxabcdefgh", True),
    ],
)
def test_after_an_outage_what_the_replay_shares_with_the_archive_decides(before, missed, expected):
    truth = known(before + missed + "98765", unheard="." * len(before) + "x" * len(missed))
    stored = before + missed.removeprefix("xx") + "98765"
    assert score_lines(truth, stored).lost == 2
    assert decidable(truth, stored, 10) == [expected]


def test_a_repeat_after_an_outage_is_undecidable_if_all_that_was_shared_is_alike():
    # 7 missed: the replay of 10 shares 3 with the archive.
    for before, expected in (("12345xxxx", False), ("1234567xx", True)):
        missed = "xabcdef"
        truth = known(before + missed, unheard="." * len(before) + "x" * len(missed))
        assert decidable(truth, before + "x" + missed, 10) == [expected]


# Files


def test_truth_is_read_as_it_was_written():
    lines = known(["a", "", "ü\u2028\x1b"], unheard=".x", hopeless="..x")
    assert list(read_rows(write_rows(lines))) == lines
    with pytest.raises(ValueError, match="row 2 is no line of the truth"):
        list(read_rows([*write_rows(lines[:1]), '{"server": 1}\n']))


@pytest.fixture
def files(tmp_path):
    """Write a truth of two servers and an archive of both, and return their paths."""
    truth = tmp_path / "truth.ndjson"
    truth.write_text("".join(write_rows([*known("abcd"), *known("wxyz", server="2b")])))

    def store(first: str, second: str) -> list[str]:
        archive = tmp_path / "archive.ndjson"
        rows = [
            {"server": server, "seq": seq, "source": source, "text": text}
            for server, texts in (("1a7ce997", first), ("2b", second))
            for seq, text in enumerate(texts)
            for source in ("replay", "daemon")
        ]
        archive.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
        return [str(truth), str(archive)]

    return store


def test_the_command_prints_a_table_and_ends_with_0_or_7(files, capsys):
    assert main(files("abcd", "wxyz")) == 0
    assert "lost" in capsys.readouterr().out
    assert main([*files("abcbcd", "wz"), "--errors", "1"]) == 7
    shown = capsys.readouterr().out.splitlines()
    assert [row.split() for row in shown[1:4]] == [
        ["1a7ce997", "4", "0", "2", "0", "0"],
        ["2b", "4", "2", "0", "0", "0"],
        ["total", "8", "2", "2", "0", "0"],
    ]
    assert shown[4:] == ["1a7ce997 line 4: 2 repeated: 'b'", "and 1 more places"]


def test_what_is_no_archive_is_refused_by_its_row(files, tmp_path, capsys):
    bad = tmp_path / "bad"
    bad.write_text('{"server": "1a7ce997"}\n')
    with pytest.raises(SystemExit) as refused:
        main([files("", "")[0], str(bad)])
    assert refused.value.code == 2
    assert "row 1 is no line of an archive" in capsys.readouterr().err


def test_the_help_has_an_example(capsys):
    with pytest.raises(SystemExit):
        main(["-h"])
    assert "example: python -m archiver.simulator.score truth.ndjson" in capsys.readouterr().out


def test_scores_of_servers_add_up():
    first, second = score_lines(known("abc"), "ab"), score_lines(known("ab"), "aab")
    assert add_up([first, second])[:5] == (5, 1, 1, 0, 0)
    assert add_up([first, second]).errors == first.errors + second.errors
