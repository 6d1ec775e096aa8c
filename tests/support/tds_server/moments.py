"""Dates and times as SQL Server counts them: days since 0001-01-01 and units of 100 ns."""

import datetime
import re
from collections import namedtuple

Moment = namedtuple("Moment", "days ticks offset", defaults=(0, 0, 0))  # offset in minutes
TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86400 * TICKS_PER_SECOND
DAY_1900 = datetime.date(1900, 1, 1).toordinal() - 1
CLOCK = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.:](\d{1,9}))?)?\s*([AP]M)?$", re.I)
OFFSET = re.compile(r"\s*([+-])(\d{1,2}):(\d{2})$|\s*Z$", re.I)
DATES = (re.compile(r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"),
         re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})"),
         re.compile(r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})"))


def parse(text):
    """A Moment, or None if it is no date."""
    text = text.strip().replace("T", " ").replace("t", " ")
    offset, days, ticks = 0, DAY_1900, 0
    if ":" in text and (zone := OFFSET.search(text)):
        if zone.group(1):
            offset = int(zone.group(2)) * 60 + int(zone.group(3))
            offset = -offset if zone.group(1) == "-" else offset
        text = text[:zone.start()]
    for pattern in DATES:
        if found := pattern.match(text):
            try:
                days = datetime.date(*(int(found[one]) for one in "ymd")).toordinal() - 1
            except ValueError:
                return None
            text = text[found.end():].strip()
            break
    else:
        if text and not CLOCK.match(text):
            return None
    if text:
        ticks = parse_clock(text)
    return None if ticks is None else Moment(days, ticks, offset)


def parse_clock(text):
    found = CLOCK.match(text)
    if not found:
        return None
    hour, minute, second = (int(found[n] or 0) for n in (1, 2, 3))
    if found[5]:
        hour = hour % 12 + (12 if found[5].upper() == "PM" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = int((found[4] or "0").ljust(7, "0")[:7])
    return (hour * 3600 + minute * 60 + second) * TICKS_PER_SECOND + fraction


def now(utc=False):
    found = datetime.datetime.now(datetime.timezone.utc) if utc else datetime.datetime.now()
    seconds = found.hour * 3600 + found.minute * 60 + found.second
    return Moment(found.toordinal() - 1, seconds * TICKS_PER_SECOND + found.microsecond * 10)


def rounded(moment, scale):
    """To so many digits behind the second; the day may turn."""
    unit = 10 ** (7 - scale)
    ticks = (moment.ticks + unit // 2) // unit * unit
    return Moment(moment.days + ticks // TICKS_PER_DAY, ticks % TICKS_PER_DAY, moment.offset)


def to_datetime(moment):
    """datetime has steps of 1/300 s: (days since 1900, steps)."""
    steps = (moment.ticks * 300 + TICKS_PER_SECOND // 2) // TICKS_PER_SECOND
    return moment.days - DAY_1900 + steps // (86400 * 300), steps % (86400 * 300)


def from_datetime(days, steps):
    milliseconds = (steps * 10 + 1) // 3  # .000, .003, .007
    return Moment(days + DAY_1900, milliseconds * 10_000)


def date_text(moment):
    return datetime.date.fromordinal(moment.days + 1).isoformat()


def clock_text(moment, scale):
    seconds, fraction = divmod(moment.ticks, TICKS_PER_SECOND)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{fraction:07}"[:scale + 1] if scale else "")


def offset_text(moment):
    sign = "-" if moment.offset < 0 else "+"
    return f"{sign}{abs(moment.offset) // 60:02}:{abs(moment.offset) % 60:02}"


def short_text(moment):
    """What CONVERT gives for a datetime without a style: Feb 29 2024 12:34PM."""
    day = datetime.date.fromordinal(moment.days + 1)
    minutes = moment.ticks // TICKS_PER_SECOND // 60
    hour = minutes // 60
    return (f"{day:%b} {day.day:>2} {day.year} {(hour - 1) % 12 + 1:>2}:{minutes % 60:02}"
            f"{'PM' if hour >= 12 else 'AM'}")
