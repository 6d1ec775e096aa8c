"""CONVERT's styles, as far as drivers and tests use them."""

import datetime

from . import moments, values
from .values import Value, convert

DATE_STYLES = {1: "%m/%d/%y", 101: "%m/%d/%Y", 3: "%d/%m/%y", 103: "%d/%m/%Y", 104: "%d.%m.%Y",
               110: "%m-%d-%Y", 111: "%Y/%m/%d", 12: "%y%m%d", 112: "%Y%m%d", 23: "%Y-%m-%d"}


def convert_with_style(value, kind, style):
    """CAST has none: `style` is None."""
    if style and value.data is not None:
        if isinstance(value.data, moments.Moment) and values.is_text(kind):
            return convert(Value(values.varchar(40), moment_text(value.data, style)), kind)
        if isinstance(value.data, bytes) and values.is_text(kind) and style in (1, 2):
            text = ("0x" if style == 1 else "") + value.data.hex().upper()
            return convert(Value(values.varchar(values.MAX), text), kind)
        if values.is_text(value.type) and kind.name in values.BINARIES and style in (1, 2):
            digits = value.data[2:] if style == 1 else value.data
            return convert(Value(values.SqlType("varbinary", values.MAX), bytes.fromhex(digits)),
                           kind)
        if values.is_text(value.type) and kind.name in values.DATES and style in (103, 104):
            day, month, rest = value.data.replace(".", "/").split("/", 2)
            return convert(Value(value.type, f"{month}/{day}/{rest}"), kind)
    return convert(value, kind)


def moment_text(data, style):
    day = datetime.date.fromordinal(data.days + 1)
    if style in DATE_STYLES:
        return day.strftime(DATE_STYLES[style])
    if style in (8, 108):
        return moments.clock_text(data, 0)
    if style in (14, 114):
        return moments.clock_text(data, 3).replace(".", ":")
    if style in (20, 120):
        return f"{day} {moments.clock_text(data, 0)}"
    if style in (21, 25, 121):
        return f"{day} {moments.clock_text(data, 3)}"
    if style in (126, 127):
        return f"{day}T{moments.clock_text(data, 3)}"
    return moments.short_text(data)
