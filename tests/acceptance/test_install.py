"""An installed wheel in a directory of its own: everything that it needs is in it."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program from a wheel in a new environment; its dependencies are lent by ours."""
    home = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
    python = str(home / "venv" / "bin" / "python")
    # Builds a wheel with the backend from the package index, and installs that.
    install = [
        python,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
    ]
    subprocess.run([*install, str(ROOT)], check=True, cwd=home)
    own = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    # Paths in a .pth file end up behind its own directory; .pth files of ours, which lead
    # to the sources, are not read again.
    Path(own.strip(), "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "venv" / "bin" / "archiver"


async def test_a_wheel_makes_its_own_archive_and_records(serving, collect, installed, tmp_path):
    async with serving() as panel:
        collector = collect(panel)
        collector.program = (installed,)
        (tmp_path / "empty").mkdir()
        collector.directory = tmp_path / "empty"

        made = await collector.run("db", "upgrade")
        assert (made.code, made.out) == (0, ""), made.err
        assert collector.rows("SELECT count(*) FROM lines") == [(0,)]
        taken = await collector.run("ingest", "--once")
        assert taken.code == 0, taken.err
        shown = await collector.run("logs", "-o", "raw", "-n", "1")
        assert (shown.code, shown.out) == (0, "line 000019\n")
    assert collector.count_lines() == 20
    assert list(collector.directory.iterdir()) == []
    collector.check()


def test_the_wheel_and_not_the_sources_is_what_ran(installed):
    found = subprocess.check_output(
        [installed.with_name("python"), "-c", "import archiver; print(archiver.__file__)"],
        text=True,
        cwd=installed.parent,
    )
    assert str(installed.parents[1]) in found
    migrations = Path(found.strip()).with_name("migrations")
    names = {path.name for path in (ROOT / "migrations" / "versions").glob("*.py")}
    assert {path.name for path in (migrations / "versions").glob("*.py")} == names
