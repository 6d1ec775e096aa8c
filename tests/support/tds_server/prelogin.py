"""PRELOGIN (MS-TDS 2.2.6.5): a table of options, and what follows from two of them."""

import struct

from .packets import Violation

VERSION, ENCRYPTION, INSTANCE, THREAD, MARS, TRACE, FEDAUTH, NONCE = range(8)
END = 0xFF
OFF, ON, NOT_SUPPORTED, REQUIRED = range(4)
SIZE_MAX = 4096
LENGTHS = {VERSION: (6,), ENCRYPTION: (1,), THREAD: (0, 4), MARS: (0, 1), TRACE: (0, 36),
           FEDAUTH: (0, 1), NONCE: (0, 32)}


def parse(body):
    """{option: bytes}, every offset checked."""
    found, at = {}, 0
    if len(body) > SIZE_MAX:
        raise Violation(f"PRELOGIN of {len(body)} bytes")
    while True:
        if at >= len(body):
            raise Violation("PRELOGIN without a terminator")
        option = body[at]
        if option == END:
            break
        if at + 5 > len(body):
            raise Violation("PRELOGIN's table is cut short")
        offset, size = struct.unpack_from(">HH", body, at + 1)
        if offset + size > len(body):
            raise Violation(f"PRELOGIN option {option} lies outside the message")
        if option in LENGTHS and size not in LENGTHS[option]:
            raise Violation(f"PRELOGIN option {option} has {size} bytes")
        if option in found:
            raise Violation(f"PRELOGIN option {option} twice")
        found[option] = body[offset:offset + size]
        at += 5
    if VERSION not in found or body[0] != VERSION:
        raise Violation("PRELOGIN does not begin with VERSION")
    if any(offset < at + 1 for offset in _offsets(body, at)):
        raise Violation("PRELOGIN option inside the table")
    return found


def _offsets(body, end):
    return [struct.unpack_from(">HH", body, at + 1)[0] for at in range(0, end, 5)
            if struct.unpack_from(">HH", body, at + 1)[1]]


def build(options):
    at = 5 * len(options) + 1
    table, data = b"", b""
    for option, value in options.items():
        table += struct.pack(">BHH", option, at + len(data), len(value))
        data += value
    return table + bytes([END]) + data


def answer(asked, mode, release):
    """(the reply's options, what is encrypted: "none", "login", "all" or "refused")."""
    wanted = asked.get(ENCRYPTION, bytes([NOT_SUPPORTED]))[0]
    if wanted & 0x80:
        raise Violation("a client certificate is offered")
    if wanted > REQUIRED:
        raise Violation(f"ENCRYPTION {wanted}")
    said, outcome = agree(wanted, mode)
    options = {VERSION: release, ENCRYPTION: bytes([said]), INSTANCE: b"\0", THREAD: b""}
    options[MARS] = b"\0"
    for option in (TRACE,):
        if option in asked:
            options[option] = b""
    return options, outcome


def agree(wanted, mode):
    """The table of MS-TDS 2.2.6.5, ENCRYPTION."""
    if mode == "off":
        refused = wanted in (ON, REQUIRED)
        return NOT_SUPPORTED, "refused" if refused else "none"
    if mode == "required":
        if wanted == NOT_SUPPORTED:
            return REQUIRED, "refused"
        return (ON if wanted in (ON, REQUIRED) else REQUIRED), "all"
    return {NOT_SUPPORTED: (NOT_SUPPORTED, "none"), OFF: (OFF, "login")}.get(wanted, (ON, "all"))
