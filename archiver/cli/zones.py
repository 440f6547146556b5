"""Time zones by name, and the local one."""

from datetime import UTC, datetime, timedelta, tzinfo

from archiver import errors


class LocalZone(tzinfo):
    """
    The zone of this machine with all its changes, past and future.

    ``datetime.astimezone()`` alone knows them too, but gives each moment a fixed
    offset, which is wrong for a date on the other side of a change.
    """

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """Return the offset at a local time; ``fold`` chooses where there are two."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:  # noqa: ARG002  # tzinfo's signature
        """Return None: not known, and nothing asks."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """Return the zone's abbreviation at a local time."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """Return the local time of a moment whose fields are in UTC."""
        utc = moment.replace(tzinfo=UTC)
        local = utc.astimezone().replace(tzinfo=None)
        fold = int(local.astimezone() != utc)
        return local.replace(tzinfo=self, fold=fold)


def find_zone(name: str | None) -> tzinfo:
    """
    Return the zone called *name*, such as ``Europe/Berlin``; None: the local one.

    Raises:
        UsageError: There is none of that name.

    """
    if name is None:
        return LocalZone()
    if name.upper() == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    # ValueError: not a name but a path. OSError: the name of a folder of zones.
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise errors.UsageError(
            f"there is no time zone {name!r}", where="--tz", do="write one such as Europe/Berlin"
        ) from exc
