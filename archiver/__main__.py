"""``python -m archiver`` is the command ``archiver``."""

from archiver.cli.main import run

if __name__ == "__main__":
    run()
