from importlib import metadata
from pathlib import Path

import pytest

from archiver import errors
from archiver.index import distribution
from archiver.index.partitions import Index, write_partition


def install(folder: Path, name: str, version: str) -> None:
    facts = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_one_distribution_is_installed_here():
    name, version = distribution.installed().split()
    assert metadata.version(name) == version


def test_two_distributions_of_one_package_are_refused(monkeypatch, tmp_path):
    for each in ("Whoosh", "whoosh3"):
        install(tmp_path, each, "9.9.9")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(errors.ConfigError) as caught:
        distribution.installed()
    assert caught.value.what == ("2 distributions provide Whoosh: whoosh 9.9.9, whoosh3 9.9.9")
    assert caught.value.do == (
        "pip uninstall whoosh whoosh3, then pip install whoosh3, in the environment of the archiver"
    )
    with pytest.raises(errors.ConfigError):
        Index(tmp_path)
    with pytest.raises(errors.ConfigError):
        write_partition(tmp_path / "index", [], first_id=1, last_id=1, generation=1)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize("name", ["Whoosh", "whoosh3", "whoosh-reloaded"])
def test_any_single_distribution_is_known_by_its_name(monkeypatch, tmp_path, name):
    install(tmp_path, name, "9.9.9")
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert distribution.installed() == f"{name.lower()} 9.9.9"


def test_none_is_an_error_too(monkeypatch, tmp_path):
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(errors.ConfigError, match="no distribution provides Whoosh"):
        distribution.installed()
