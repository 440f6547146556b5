"""
Read all layers into one :class:`~archiver.config.settings.Settings`.

Commands that only read the archive do not ask for keys: they must work for
somebody who may read the archive but not the key.
"""

from collections.abc import Mapping
from pathlib import Path

from archiver import errors
from archiver.config import layers
from archiver.config.panels import PanelReader
from archiver.config.queries import TABLE, read_queries
from archiver.config.settings import Settings
from archiver.config.table import PANEL_SETTINGS, SETTINGS


def load(
    *,
    environ: Mapping[str, str],
    file: Path | None = None,
    options: Mapping[str, object] | None = None,
    with_keys: bool = False,
) -> Settings:
    """
    Return the settings in force.

    Args:
        environ: The environment.
        file: What ``--config`` names; None: ARCHIVER_CONFIG or a default place.
        options: Settings from the command line by their names in the table; None
            stands for an option that was not given.
        with_keys: Read the API keys too, and refuse to go on without a panel or key.

    Raises:
        ConfigError: A setting is missing, unknown or unusable.

    """
    found = layers.read_file(layers.find_file(file, environ))
    given = options or {}
    own = layers.read_options(SETTINGS, given)
    layer = {
        "data_dir": layers.default_data_dir(environ),
        **layers.read_table(found, found.tables, SETTINGS, also=("panels", TABLE)),
        **layers.read_environment(SETTINGS, environ),
        **own,
    }
    if "data_dir" in own and "database_url" not in own:
        layer.pop("database_url", None)  # who names a directory means the archive in it
    values = layers.read_values(SETTINGS, layer, found)
    values.setdefault("database_url", f"sqlite:///{values['data_dir'] / 'archive.db'}")
    origins = {name: written.where for name, written in layer.items()}

    reader = PanelReader(found, environ, with_keys=with_keys)
    panels = reader.read(
        layers.override(
            layers.read_environment(PANEL_SETTINGS, environ),
            layers.read_options(PANEL_SETTINGS, given),
        )
    )
    if with_keys and not panels:
        raise errors.ConfigError(
            "no panel is configured",
            where=str(found.path or layers.user_file(environ)),
            do="run 'archiver setup', or set ARCHIVER_PANEL_URL and ARCHIVER_API_KEY; "
            "'archiver demo' needs neither",
        )
    return Settings(
        **values,
        panels=panels,
        file=found.path,
        queries=read_queries(found),
        origins=origins | reader.origins,
        warnings=tuple(reader.warnings),
    )
