import re
from pathlib import Path

import archiver.simulator

README = Path(archiver.simulator.__file__).with_name("README.md")
FACT = re.compile(r"^\| .* \| .* \| (\w+: .*) \|$", re.MULTILINE)


def test_every_test_that_the_readme_names_exists():
    tests = Path(__file__).parent
    rows = FACT.findall(README.read_text(encoding="utf-8"))
    assert len(rows) > 40
    for row in rows:
        for part in row.split("; "):
            module, _, names = part.partition(": ")
            source = (tests / f"test_{module}.py").read_text(encoding="utf-8")
            for name in names.split(", "):
                wanted = f"def test_{name.removesuffix('…')}" + "(" * (not name.endswith("…"))
                assert wanted in source, (module, name)
