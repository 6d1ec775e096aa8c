"""LOGIN7 (MS-TDS 2.2.6.4), read without trust."""

import struct
from dataclasses import dataclass, field

from .packets import SIZE_DEFAULT, SIZE_MAX, SIZE_MIN, V71, V72, V73A, V73B, V74, V80, Violation

FIXED = struct.Struct("<IIIIIIBBBBiI")
NAMES = ("host", "user", "password", "app", "server", "extension", "library", "language",
         "database")
CHARACTERS_MAX = 128
FIXED_MIN = 86  # of 7.1; from 7.2 on 94
ODBC, INTEGRATED, READ_ONLY, CHANGE_PASSWORD, EXTENSION = 0x02, 0x80, 0x20, 0x01, 0x10
VERSIONS = (V71, V72, V73A, V73B, V74, V80)
UTF8_SUPPORT = 0x0A


@dataclass
class Login:
    version: int = 0
    packet_size: int = 0
    process: int = 0
    flags1: int = 0
    flags2: int = 0
    type_flags: int = 0
    flags3: int = 0
    texts: dict = field(default_factory=dict)
    client_id: bytes = b""
    features: dict = field(default_factory=dict)

    @property
    def odbc(self):
        return bool(self.flags2 & ODBC)

    @property
    def read_only(self):
        return bool(self.type_flags & READ_ONLY)


def unscramble(data):
    """The password's bytes: XOR 0xA5, then the halves of each byte change places."""
    plain = bytes(byte ^ 0xA5 for byte in data)
    return bytes(byte >> 4 | byte << 4 & 0xF0 for byte in plain)


def piece(body, offset, size, what):
    if offset + size > len(body):
        raise Violation(f"LOGIN7: {what} lies outside the message")
    if size and offset < FIXED_MIN:
        raise Violation(f"LOGIN7: {what} lies inside the fixed part")
    return body[offset:offset + size]


def parse(body):
    if len(body) < FIXED_MIN:
        raise Violation(f"LOGIN7 of {len(body)} bytes")
    (size, version, packet_size, _, process, _, flags1, flags2, type_flags, flags3, _,
     _) = FIXED.unpack_from(body)
    if size != len(body):
        raise Violation(f"LOGIN7 says {size} bytes and has {len(body)}")
    if version not in VERSIONS:
        raise Violation(f"LOGIN7: TDS version {version:#x}")
    if packet_size and not SIZE_MIN <= packet_size <= SIZE_MAX:
        raise Violation(f"LOGIN7: packet size {packet_size}")
    found = Login(version, packet_size or SIZE_DEFAULT, process, flags1, flags2, type_flags, flags3)
    extension = read_texts(body, found)
    if flags2 & INTEGRATED:
        raise Violation("LOGIN7: integrated security is not offered here")
    if flags3 & CHANGE_PASSWORD:
        raise Violation("LOGIN7: a change of password is not offered here")
    if extension is not None:
        found.features = read_features(body, extension)
    return found


def read_texts(body, found):
    """Fills `texts`; gives the offset of the feature block if there is one."""
    extension = None
    for index, name in enumerate(NAMES):
        offset, count = struct.unpack_from("<HH", body, FIXED.size + 4 * index)
        if name == "extension":
            if found.flags3 & EXTENSION and count:  # tedious sets the flag without one
                data = piece(body, offset, 4, "the extension")
                if count != 4:
                    raise Violation(f"LOGIN7: an extension of {count} bytes")
                extension = struct.unpack("<I", data)[0]
            continue
        if count > CHARACTERS_MAX:
            raise Violation(f"LOGIN7: {name} of {count} characters")
        data = piece(body, offset, 2 * count, name)
        data = unscramble(data) if name == "password" else data
        try:
            found.texts[name] = data.decode("utf-16-le")
        except UnicodeDecodeError:
            raise Violation(f"LOGIN7: {name} is not UTF-16") from None
    at = FIXED.size + 4 * len(NAMES)
    found.client_id = body[at:at + 6]
    read_rest(body, at + 6, found.version)
    return extension


def read_rest(body, at, version):
    """SSPI, the file to attach and, from 7.2 on, a new password: looked at for their bounds."""
    fields = [("SSPI", 1), ("the file to attach", 2), ("the new password", 2)]
    for what, unit in fields[:2] if version == V71 else fields:
        if at + 4 > len(body):
            raise Violation("LOGIN7: the fixed part is cut short")
        offset, count = struct.unpack_from("<HH", body, at)
        if count:
            piece(body, offset, count * unit, what)
        at += 4


def read_features(body, at):
    found = {}
    while True:
        if at >= len(body):
            raise Violation("LOGIN7: the features have no end")
        feature = body[at]
        if feature == 0xFF:
            return found
        if at + 5 > len(body):
            raise Violation("LOGIN7: a feature is cut short")
        size = struct.unpack_from("<I", body, at + 1)[0]
        if feature in found or feature == 0:
            raise Violation(f"LOGIN7: feature {feature}, twice or none")
        found[feature] = piece(body, at + 5, size, f"feature {feature}")
        at += 5 + size
