"""What is in a request behind its packet headers: ALL_HEADERS, RPC, transaction manager, bulk."""

import struct
from dataclasses import dataclass, field

from .packets import V72, Violation, at_least
from .typeinfo import BY_LOB, Reader, read_type, read_value

PROCEDURES = {1: "sp_cursor", 2: "sp_cursoropen", 3: "sp_cursorprepare", 4: "sp_cursorexecute",
              5: "sp_cursorprepexec", 6: "sp_cursorunprepare", 7: "sp_cursorfetch",
              8: "sp_cursoroption", 9: "sp_cursorclose", 10: "sp_executesql", 11: "sp_prepare",
              12: "sp_execute", 13: "sp_prepexec", 14: "sp_prepexecrpc", 15: "sp_unprepare"}
BY_REFERENCE, DEFAULT = 1, 2
NO_METADATA = 2
TM_BEGIN, TM_COMMIT, TM_ROLLBACK, TM_SAVE = 5, 7, 8, 9
TM_DISTRIBUTED = (0, 1, 6)  # a coordinator's address, its transaction, promotion


def all_headers(reader):
    """(transaction descriptor or None, outstanding requests)."""
    total = reader.number(4)
    end = reader.at - 4 + total
    if total < 4 or end > len(reader.data):
        raise Violation(f"ALL_HEADERS of {total} bytes", 8037)
    found = None
    while reader.at < end:
        size, kind = struct.unpack("<IH", reader.take(6))
        if size < 6 or reader.at + size - 6 > end or kind not in (1, 2, 3):
            raise Violation(f"header {kind} of {size} bytes", 8037)
        data = reader.take(size - 6)
        if kind == 2:
            if len(data) != 12 or found:
                raise Violation("the transaction descriptor's header is wrong, or twice", 8037)
            found = struct.unpack("<QI", data)
    if found is None:
        raise Violation("no transaction descriptor", 8037)
    if found[1] != 1:
        raise Violation(f"{found[1]} outstanding requests without MARS", 8037)
    return found[0]


@dataclass
class Parameter:
    name: str
    status: int
    value: object

    @property
    def output(self):
        return bool(self.status & BY_REFERENCE)


@dataclass
class Call:
    name: str
    options: int
    parameters: list = field(default_factory=list)


def read_calls(reader, version):
    """The calls of an RPC message."""
    found = []
    separator = 0xFF if at_least(version, V72) else 0x80
    while True:
        found.append(read_call(reader, separator))
        if not reader.more():
            return found
        reader.take(1)
        if not reader.more():  # a separator may end the last one
            return found


def read_call(reader, separator):
    length = reader.number(2)
    if length == 0xFFFF:
        number = reader.number(2)
        if number not in PROCEDURES:
            raise Violation(f"procedure number {number}", 8009)
        name = PROCEDURES[number]
    else:
        if not 1 <= length <= 1046:
            raise Violation(f"a procedure's name of {length} characters", 8009)
        name = reader.take(2 * length).decode("utf-16-le", "replace")
    call = Call(name, reader.number(2))
    if call.options & ~0x7:
        raise Violation(f"RPC option flags {call.options:#x}", 8009)
    while reader.more() and reader.data[reader.at] != separator:
        if reader.data[reader.at] in (0xFE, 0x80, 0xFF):
            raise Violation(f"separator {reader.data[reader.at]:#x}", 8009)
        call.parameters.append(read_parameter(reader))
    return call


def read_parameter(reader):
    name, status = reader.text(), reader.number(1)
    if status & ~(BY_REFERENCE | DEFAULT):
        raise Violation(f"parameter {name}: status {status:#x}", 8009)
    if name and not name.startswith("@"):
        raise Violation(f"parameter name {name!r}", 8009)
    wire = read_type(reader)
    return Parameter(name, status, read_value(reader, wire))


@dataclass
class Manager:
    """A transaction manager request."""
    kind: int
    isolation: int = 0
    name: str = ""
    then_begin: bool = False


def read_name(reader):
    data = reader.take(reader.number(1))
    return data.decode("utf-16-le", "replace")


def read_manager(reader):
    found = Manager(reader.number(2))
    if found.kind == TM_BEGIN:
        found.isolation, found.name = reader.number(1), read_name(reader)
    elif found.kind in (TM_COMMIT, TM_ROLLBACK):
        found.name, flags = read_name(reader), reader.number(1)
        if flags & ~1:
            raise Violation(f"transaction manager flags {flags:#x}", 8037)
        if flags:
            found.then_begin = True
            found.isolation = reader.number(1)
            read_name(reader)
    elif found.kind == TM_SAVE:
        found.name = read_name(reader)
    elif found.kind in TM_DISTRIBUTED:
        reader.take(len(reader.data) - reader.at)
    else:
        raise Violation(f"transaction manager request {found.kind}", 8037)
    if found.isolation > 5:
        raise Violation(f"isolation level {found.isolation}", 8037)
    if reader.more():
        raise Violation("bytes behind a transaction manager request", 8037)
    return found


# ---------------------------------------------------------------- bulk load


def read_bulk(data, version):
    """(names of the columns, types, rows of values)."""
    reader, rows = Reader(data), []
    new = at_least(version, V72)
    if reader.number(1) != 0x81:
        raise Violation("bulk data does not begin with COLMETADATA")
    names, wires = [], []
    for _ in range(reader.number(2)):
        reader.take(6 if new else 4)
        wires.append(read_type(reader))
        if wires[-1].number in BY_LOB:
            for _ in range(reader.number(1) if new else 1):
                reader.text(2)
        names.append(reader.text())
    while reader.more():
        token = reader.number(1)
        if token in (0xD1, 0xD2):
            rows.append(read_row(reader, wires, token == 0xD2))
            continue
        if token != 0xFD:
            raise Violation(f"token {token:#x} in bulk data")
        reader.take(12 if new else 8)  # FreeTDS leaves it out
        if reader.more():
            raise Violation("bytes behind the DONE of bulk data")
    return names, [wire.kind for wire in wires], rows


def read_row(reader, wires, with_nulls):
    nulls = reader.take((len(wires) + 7) // 8) if with_nulls else bytes(len(wires))
    row = []
    for index, wire in enumerate(wires):
        if nulls[index // 8] >> index % 8 & 1:
            row.append(None)
        else:
            row.append(read_value(reader, wire, in_row=True).data)
    return row
