import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.operations.visible import visible

FORBIDDEN = {
    *(code for code in range(0x20) if code != 9),
    *range(0x7F, 0xA0),
    0x2028,
    0x2029,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
}


@given(st.text())
def test_no_character_that_acts_on_a_terminal_is_visible_text(text):
    assert not FORBIDDEN & set(map(ord, visible(text)))


@pytest.mark.parametrize("code", sorted(FORBIDDEN))
def test_each_of_them_is_shown_as_its_number(code):
    assert visible(f"a{chr(code)}b") == f"a\\u{code:04x}b"


@given(st.text(st.characters(exclude_categories=["Cc"])))
def test_any_other_text_stays_as_it_is(text):
    if not FORBIDDEN & set(map(ord, text)):
        assert visible(f"\t{text}") == f"\t{text}"


@given(st.dictionaries(st.text(), st.text()))
def test_json_on_a_terminal_means_what_it_meant(value):
    text = json.dumps(value, ensure_ascii=False)
    assert json.loads(visible(text)) == value
