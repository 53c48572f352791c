"""Types whose values are written as text: bytes, times, numbers of decimals, ids."""

import re
from base64 import b64encode
from binascii import a2b_base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from infra_protocols._json.shape import Shape, misfit, misread

_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(E[+-]?[0-9]+)?", re.IGNORECASE)
_DURATION: Final = re.compile(
    r"(-)?P(?!$)(?:([0-9]+)D)?(?:T(?!$)(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+)(?:\.([0-9]{1,6}))?S)?)?"
)


def texts() -> Mapping[type, Shape]:
    return {
        bytes: _shape(bytes, lambda value: b64encode(value).decode("ascii"), _bytes),
        datetime: _shape(datetime, _of_datetime, _datetime),
        date: _shape(date, date.isoformat, date.fromisoformat),
        time: _shape(time, _of_time, _time),
        timedelta: _shape(timedelta, _of_timedelta, _timedelta),
        UUID: _shape(UUID, str, UUID),
        Decimal: _shape(Decimal, _of_decimal, _decimal),
    }


def _shape(kind: type, write: Callable[[Any], str], read: Callable[[str], Any]) -> Shape:
    name = kind.__name__

    def dump(value: Any) -> Any:
        if type(value) is kind:
            return write(value)
        raise misfit(name, value)

    def load(plain: Any) -> Any:
        if type(plain) is str:
            try:
                return read(plain)
            except (ValueError, ArithmeticError):
                pass
        raise misread(name, plain)

    return Shape(
        name=name,
        types=frozenset({kind}),
        kinds=frozenset({str}),
        dump=dump,
        load=load,
        key=(dump, load),
    )


def _bytes(text: str) -> bytes:
    return a2b_base64(text, strict_mode=True)


def _of_datetime(value: datetime) -> str:
    # Without a zone, nothing in the text would tell which of the two times is meant that a clock put back shows.
    if not _zoned(value) or (value.fold and value.tzinfo is None):
        raise misfit("a datetime without zone and fold, or in a timezone or ZoneInfo of whole seconds", value)
    return value.isoformat()


def _datetime(text: str) -> datetime:
    if text[10:11] != "T":
        raise ValueError  # a date alone
    return _readable(datetime.fromisoformat(text))


def _of_time(value: time) -> str:
    if not _zoned(value) or value.fold:
        raise misfit("a time without fold, and without zone or in a timezone of whole seconds", value)
    return value.isoformat()


def _time(text: str) -> time:
    return _readable(time.fromisoformat(text))


def _readable[M: datetime | time](value: M) -> M:
    if not _zoned(value):
        raise ValueError
    return value


def _zoned(value: datetime | time) -> bool:
    zone = value.tzinfo
    if zone is None or zone is UTC:
        return True
    if type(zone) is not timezone and type(zone) is not ZoneInfo:
        return False
    # A time of day has no offset where that depends on the day; and of an offset that is a part of a second,
    # `fromisoformat` makes none.
    offset = value.utcoffset()
    return offset is not None and not offset.microseconds


def _of_timedelta(value: timedelta) -> str:
    sign = "-" if value.days < 0 else ""
    size = -value if sign else value
    fraction = f".{size.microseconds:06}" if size.microseconds else ""
    return f"{sign}P{size.days}DT{size.seconds}{fraction}S"


def _timedelta(text: str) -> timedelta:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError
    sign, days, hours, minutes, seconds, fraction = found.groups("")
    size = timedelta(
        days=int(days or 0),
        hours=int(hours or 0),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int(f"{fraction:0<6}"),
    )
    return -size if sign else size


def _of_decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise misfit("a finite Decimal", value)
    return str(value)


def _decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError  # what a context does that does not trap
    return value
