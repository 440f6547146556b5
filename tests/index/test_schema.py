import pickletools

import pytest

from archiver import errors
from archiver.index import schema
from archiver.index.partitions import Index


def test_an_index_of_another_format_is_none(index_dir, write, some_lines, monkeypatch):
    made = write(some_lines)
    monkeypatch.setattr(schema, "INDEX_NAME", f"blocks{schema.FORMAT + 1}")
    with pytest.raises(errors.IndexUnavailableError, match="EmptyIndexError"):
        Index(index_dir).open(made.directory, made.files)


def test_the_names_in_its_pickles_are_those_of_format_1(index_dir, write, some_lines):
    """Where this fails, raise schema.FORMAT: indexes that exist cannot be opened any more."""
    (toc,) = (index_dir / write(some_lines).directory).glob("*.toc")
    content = toc.read_bytes()
    names = set()
    for start in [place for place in range(len(content)) if content[place] == 0x80]:
        strings: list[str] = []
        try:
            for step, value, _ in pickletools.genops(content[start:]):
                if step.name == "STACK_GLOBAL":
                    names.add(tuple(strings[-2:]))
                elif step.name == "GLOBAL":
                    names.add(tuple(str(value).split(" ")))
                elif isinstance(value, str):
                    strings.append(value)
        except ValueError:
            continue  # no pickle begins here
    ours = {name for name in names if name[0].startswith("archiver")}
    assert toc.name == "_blocks1_1.toc"
    assert ours == {
        ("archiver.index.codec", "BlockSegment"),
        ("archiver.index.schema", "TermSet"),
    }
