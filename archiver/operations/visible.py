"""
Characters that act on a terminal, as escapes.

Console text, names and messages are written by strangers: a control character in
them could clear the screen, set its title or make one line look like another.
"""

# C0 but tab, DEL, C1, line separators, bidirectional embeddings and isolates.
_UNSAFE = (
    *range(0x09),
    *range(0x0A, 0x20),
    *range(0x7F, 0xA0),
    *range(0x2028, 0x202F),
    *range(0x2066, 0x206A),
)

# In a form that JSON reads back as the character itself.
VISIBLE = {code: f"\\u{code:04x}" for code in _UNSAFE}


def visible(text: str) -> str:
    r"""Return *text* with unsafe characters as escapes such as ``\u001b``."""
    return text if text.isprintable() else text.translate(VISIBLE)
