import re
import sys

from hypothesis import given
from hypothesis import strategies as st

from archiver.query import words

EVERY_CHARACTER = "".join(map(chr, range(sys.maxunicode + 1)))
WORD = re.compile(r"\w")


def test_folding_takes_each_character_to_one_that_is_folded():
    folded = words.fold(EVERY_CHARACTER)
    assert words.fold(folded) == folded
    for character, to in zip(EVERY_CHARACTER, folded, strict=True):
        if to != character or character.lower() != character:
            assert words.fold(character) == to


def test_folding_makes_no_word_and_breaks_none():
    places = [match.start() for match in WORD.finditer(EVERY_CHARACTER)]
    assert [match.start() for match in WORD.finditer(words.fold(EVERY_CHARACTER))] == places


def test_folding_does_to_ascii_what_databases_do():
    ascii_characters = EVERY_CHARACTER[:128]
    assert words.fold(ascii_characters) == ascii_characters.lower()
    assert words.fold(ascii_characters).encode() == ascii_characters.encode().lower()


def test_all_that_is_folded_to_ascii_in_disguise_is_known():
    folded = {char for char in EVERY_CHARACTER if not char.isascii() and words.fold(char).isascii()}
    assert folded == set(words.DISGUISES.values())
    assert all(words.fold(disguise) == letter for letter, disguise in words.DISGUISES.items())


def test_folding_knows_capitals_of_all_scripts():
    assert words.fold("ÄÖÅ ЖДИ ΟΔΟΣ") == words.fold("äöå жди οδος")
    assert (
        words.fold("İstanbul \N{KELVIN SIGN}elvin mi\N{LATIN SMALL LETTER LONG S}s")
        == "istanbul kelvin miss"
    )
    assert words.fold("STRASSE") != words.fold("Straße") == words.fold("STRAẞE")


@given(st.text(), st.text())
def test_a_character_is_folded_alike_whatever_stands_beside_it(one, other):
    assert words.fold(one + other) == words.fold(one) + words.fold(other)


def test_words_are_runs_of_letters_digits_and_underscores():
    text = "[14:07:12] <Foo_Bar> können's, net.minecraft.Foo$Bar ΟΔΟΣ"
    assert words.words(text) == [
        *("14", "07", "12", "foo_bar", "können", "s", "net", "minecraft", "foo", "bar"),
        "οδοσ",
    ]


@given(st.lists(st.one_of(st.text(), st.text("aB_1 -\n\tÄ"))))
def test_distinct_words_are_the_words_of_all_texts(texts):
    assert words.distinct(texts) == {word for text in texts for word in words.words(text)}


def test_distinct_words_of_every_ascii_character():
    assert words.distinct(EVERY_CHARACTER[:128]) == {
        word for character in EVERY_CHARACTER[:128] for word in words.words(character)
    }


def test_distinct_words_of_real_lines(real_texts):
    assert words.distinct(real_texts) == {word for text in real_texts for word in words.words(text)}
