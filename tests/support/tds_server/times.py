"""Functions of dates and times."""

import calendar
import datetime

from . import moments, values
from .errors import SqlError
from .moments import TICKS_PER_DAY, TICKS_PER_SECOND, Moment
from .values import Value, convert, nvarchar

PARTS = {"year": "year", "yy": "year", "yyyy": "year", "month": "month", "mm": "month",
         "m": "month", "quarter": "quarter", "qq": "quarter", "day": "day", "dd": "day",
         "d": "day", "week": "week", "wk": "week", "ww": "week", "weekday": "weekday",
         "dw": "weekday", "hour": "hour", "hh": "hour", "minute": "minute", "mi": "minute",
         "n": "minute", "second": "second", "ss": "second", "s": "second",
         "millisecond": "millisecond", "ms": "millisecond", "dayofyear": "dayofyear",
         "dy": "dayofyear", "microsecond": "microsecond", "mcs": "microsecond"}
TICKS = {"week": 7 * TICKS_PER_DAY, "day": TICKS_PER_DAY, "dayofyear": TICKS_PER_DAY,
         "weekday": TICKS_PER_DAY, "hour": 3600 * TICKS_PER_SECOND,
         "minute": 60 * TICKS_PER_SECOND, "second": TICKS_PER_SECOND,
         "millisecond": TICKS_PER_SECOND // 1000, "microsecond": 10}
MONTHS = {"year": 12, "quarter": 3, "month": 1}


def part_of(value):
    found = PARTS.get(value.data.lower())
    if found is None:
        raise SqlError(155, f"'{value.data}' is not a recognized datepart option.", 15)
    return found


def moment_of(value):
    if isinstance(value.data, Moment):
        return value.data
    return convert(value, values.DATETIME).data


def ticks_of(moment):
    return moment.days * TICKS_PER_DAY + moment.ticks


def date_add(state, part, count, value):
    part = part_of(part)
    kind = value.type if value.type.name in values.DATES else values.DATETIME
    if value.data is None or count.data is None:
        return Value(kind, None)
    moment, count = moment_of(value), convert(count, values.INT).data
    if part in MONTHS:
        return convert(Value(kind, add_months(moment, count * MONTHS[part])), kind)
    moved = divmod(ticks_of(moment) + count * TICKS[part], TICKS_PER_DAY)
    return Value(kind, Moment(*moved, moment.offset))


def add_months(moment, count):
    day = datetime.date.fromordinal(moment.days + 1)
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    last = calendar.monthrange(year, month + 1)[1]
    moved = datetime.date(year, month + 1, min(day.day, last))
    return Moment(moved.toordinal() - 1, moment.ticks, moment.offset)


def date_diff(state, part, first, second):
    part = part_of(part)
    if first.data is None or second.data is None:
        return Value(values.INT, None)
    one, two = moment_of(first), moment_of(second)
    if part in MONTHS:
        days = [datetime.date.fromordinal(x.days + 1) for x in (one, two)]
        counts = [(x.year * 12 + x.month - 1) // MONTHS[part] for x in days]
        return Value(values.INT, counts[1] - counts[0])
    return Value(values.INT, ticks_of(two) // TICKS[part] - ticks_of(one) // TICKS[part])


def date_part(state, part, value):
    part = part_of(part)
    if value.data is None:
        return Value(values.INT, None)
    moment = moment_of(value)
    day = datetime.date.fromordinal(moment.days + 1)
    first = state.options["DATEFIRST"]
    seconds = moment.ticks // TICKS_PER_SECOND
    found = {"year": day.year, "month": day.month, "day": day.day,
             "quarter": (day.month + 2) // 3, "dayofyear": day.timetuple().tm_yday,
             "weekday": (day.isoweekday() - first) % 7 + 1, "hour": seconds // 3600,
             "minute": seconds // 60 % 60, "second": seconds % 60,
             "millisecond": moment.ticks % TICKS_PER_SECOND // 10_000,
             "microsecond": moment.ticks % TICKS_PER_SECOND // 10}
    found["week"] = (found["dayofyear"] - 1 + (day.replace(day=1, month=1).isoweekday()
                                               - first) % 7) // 7 + 1
    return Value(values.INT, found[part])


def date_name(state, part, value):
    found = date_part(state, part, value).data
    if found is None:
        return Value(nvarchar(30), None)
    day = datetime.date.fromordinal(moment_of(value).days + 1)
    names = {"month": f"{day:%B}", "weekday": f"{day:%A}"}
    return Value(nvarchar(30), names.get(part_of(part), str(found)))


def just(part):
    return 1, 1, lambda state, value: date_part(state, Value(nvarchar(9), part), value)


def clock(kind, utc=False):
    return 0, 0, lambda state: convert(Value(values.SqlType("datetime2", 0, 0, 7),
                                             moments.now(utc)), kind)


TIME_FUNCTIONS = {
    "GETDATE": clock(values.DATETIME), "GETUTCDATE": clock(values.DATETIME, True),
    "CURRENT_TIMESTAMP": clock(values.DATETIME),
    "SYSDATETIME": clock(values.SqlType("datetime2", 0, 0, 7)),
    "SYSUTCDATETIME": clock(values.SqlType("datetime2", 0, 0, 7), True),
    "DATEADD": (3, 3, date_add), "DATEDIFF": (3, 3, date_diff), "DATEPART": (2, 2, date_part),
    "DATENAME": (2, 2, date_name), "YEAR": just("year"), "MONTH": just("month"),
    "DAY": just("day"),
}
