"""SET options: what there is, what it starts as, and the bits of @@OPTIONS."""

from .errors import SqlError, error

BITS = {"IMPLICIT_TRANSACTIONS": 2, "CURSOR_CLOSE_ON_COMMIT": 4, "ANSI_WARNINGS": 8,
        "ANSI_PADDING": 16, "ANSI_NULLS": 32, "ARITHABORT": 64, "ARITHIGNORE": 128,
        "QUOTED_IDENTIFIER": 256, "NOCOUNT": 512, "ANSI_NULL_DFLT_ON": 1024,
        "ANSI_NULL_DFLT_OFF": 2048, "CONCAT_NULL_YIELDS_NULL": 4096, "NUMERIC_ROUNDABORT": 8192,
        "XACT_ABORT": 16384}
ANSI = ("ANSI_WARNINGS", "ANSI_PADDING", "ANSI_NULLS", "QUOTED_IDENTIFIER", "ANSI_NULL_DFLT_ON")
OTHER_SWITCHES = ("FMTONLY", "NOEXEC", "PARSEONLY", "FORCEPLAN", "SHOWPLAN_TEXT", "SHOWPLAN_ALL",
                  "SHOWPLAN_XML", "NO_BROWSETABLE", "REMOTE_PROC_TRANSACTIONS", "FIPS_FLAGGER",
                  "STATISTICS IO", "STATISTICS TIME", "STATISTICS XML", "STATISTICS PROFILE",
                  "OFFSETS")
NUMBERS = {"DATEFIRST": 7, "LOCK_TIMEOUT": -1, "TEXTSIZE": 4096, "ROWCOUNT": 0,
           "QUERY_GOVERNOR_COST_LIMIT": 0}
TEXTSIZE_ODBC = 2147483647
DATEFORMATS = ("mdy", "dmy", "ymd", "ydm", "myd", "dym")
LANGUAGES = {"us_english": ("us_english", 7, "mdy"), "english": ("us_english", 7, "mdy"),
             "british": ("British", 1, "dmy"), "british english": ("British", 1, "dmy"),
             "deutsch": ("Deutsch", 1, "dmy"), "german": ("Deutsch", 1, "dmy"),
             "français": ("Français", 1, "dmy"), "french": ("Français", 1, "dmy")}
PRIORITIES = ("LOW", "NORMAL", "HIGH", *range(-10, 11))


def defaults(odbc):
    """Of a new connection. ODBC and OLE DB start with ANSI's ways, db-lib without."""
    found = dict.fromkeys((*BITS, *OTHER_SWITCHES), False)
    found |= NUMBERS
    found["CONCAT_NULL_YIELDS_NULL"] = found["ARITHABORT"] = odbc
    found |= dict.fromkeys(ANSI, odbc)
    found["TEXTSIZE"] = TEXTSIZE_ODBC if odbc else NUMBERS["TEXTSIZE"]
    found |= {"DATEFORMAT": "mdy", "DEADLOCK_PRIORITY": "NORMAL", "CONTEXT_INFO": None}
    found["IDENTITY_INSERT"] = None  # the table
    return found


def bits(options):
    return sum(bit for name, bit in BITS.items() if options[name])


def change(options, name, value):
    """One SET; `value` is "ON", "OFF", a word or a number."""
    if name == "ANSI_DEFAULTS":
        for one in (*ANSI, "CURSOR_CLOSE_ON_COMMIT", "IMPLICIT_TRANSACTIONS"):
            options[one] = _switch(value)
    elif name in BITS or name in OTHER_SWITCHES:
        options[name] = _switch(value)
        if name in ("ANSI_NULL_DFLT_ON", "ANSI_NULL_DFLT_OFF") and options[name]:
            other = {"ANSI_NULL_DFLT_ON": "ANSI_NULL_DFLT_OFF"}.get(name, "ANSI_NULL_DFLT_ON")
            options[other] = False
    elif name in NUMBERS:
        options[name] = _number(name, value)
    elif name == "DATEFORMAT":
        word = str(value).lower()
        if word not in DATEFORMATS:
            raise error(102, value)
        options[name] = word
    elif name == "DEADLOCK_PRIORITY":
        word = value if isinstance(value, int) else str(value).upper()
        if word not in PRIORITIES:
            raise error(102, value)
        options[name] = word
    else:
        raise SqlError(195, f"'{name}' is not a recognized SET option.", 15)


def _switch(value):
    if value not in ("ON", "OFF"):
        raise error(102, value)
    return value == "ON"


def _number(name, value):
    if not isinstance(value, int):
        raise error(102, value)
    if name == "DATEFIRST" and not 1 <= value <= 7:
        raise error(102, value)
    if name == "TEXTSIZE":
        return {0: 4096, -1: TEXTSIZE_ODBC}.get(value, value)
    return value


def language(name):
    """(its name, the first day of the week, the order of dates)."""
    found = LANGUAGES.get(name.lower())
    if found is None:
        raise error(2740, name)
    return found
