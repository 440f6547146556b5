"""Saved queries: the table ``[queries]`` of the configuration, a name for each text."""

import re
from collections.abc import Mapping

from archiver import errors
from archiver.config.layers import ConfigFile

TABLE = "queries"
_NAME = re.compile(r"[\w-]+")


def read_queries(file: ConfigFile) -> Mapping[str, str]:
    """
    Return the saved queries by their names.

    Raises:
        ConfigError: The table is none, or a name or query in it is not a text to use.

    """
    table = file.tables.get(TABLE, {})
    if not isinstance(table, dict):
        raise errors.ConfigError(
            f"{TABLE} is {table!r}, not a table",
            where=file.place(TABLE),
            do=f"write [{TABLE}] in a line of its own, and below it name = 'query'",
        )
    for name, query in table.items():
        where = file.place(name, TABLE, None)
        if not _NAME.fullmatch(name):
            raise errors.ConfigError(
                f"{name!r} cannot be the name of a query",
                where=where,
                do="use letters, digits, - and _",
            )
        if not isinstance(query, str) or not query.strip():
            raise errors.ConfigError(
                f"query {name!r} is {query!r}, not a text", where=where, do="write it in quotes"
            )
    return table
