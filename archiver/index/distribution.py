"""
Which Whoosh is installed: one distribution, of the several that provide it.

Whoosh 2.7.4 (2016) is not changed any more; two forks use the name of its package.
pip lets two of them be installed, one over the files of the other: what is imported
then is neither.
"""

from importlib import metadata

from archiver import errors

_PROVIDERS = ("whoosh", "whoosh3", "whoosh-reloaded")


def installed() -> str:
    """
    Return name and version of the distribution that provides Whoosh.

    Raises:
        ConfigError: None does, or more than one.

    """
    found = []
    for name in _PROVIDERS:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    if len(found) == 1:
        return found[0]
    what = "no distribution provides Whoosh"
    do = "pip install whoosh3"
    if found:
        what = f"{len(found)} distributions provide Whoosh: {', '.join(found)}"
        do = f"pip uninstall {' '.join(each.split()[0] for each in found)}, then {do}"
    raise errors.ConfigError(what, do=f"{do}, in the environment of the archiver")
