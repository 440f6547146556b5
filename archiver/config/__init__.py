"""
What the archiver is told to do: options over ARCHIVER_* over a TOML file over defaults.

Imports nothing of the archiver but errors. What holds here: each value knows where
it came from, and a key is never seen unless its :class:`~archiver.config.secret.Secret`
is asked to reveal it.
"""
