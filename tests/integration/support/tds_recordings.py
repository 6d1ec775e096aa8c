"""Recorded conversations (tests/support/tds_traces), and their requests replayed."""

import json
import pathlib
import struct

from . import tds_tokens
from .tds_client import ATTENTION, LOGIN7, PRELOGIN, TRANSACTION, Closed, TdsClient

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "support" / "tds_traces"
ENCRYPTED = ("tedious_login_encrypt", "tedious_login_encrypt_tls12", "tsql_login_request",
             "tsql_login_require", "tedious_strict")
ATTENDED = ("raw_attention_idle", "raw_attention_late", "tedious_attention",
            "tedious_attention_rows")
ACKNOWLEDGED = "DONE 0x20"
HEADER_START = struct.pack("<IIH", 22, 18, 2)


def names():
    return sorted(path.stem for path in FOLDER.glob("*.json"))


class Recording:
    def __init__(self, name):
        self.name = name
        with open(FOLDER / f"{name}.json", encoding="utf-8") as file:
            self.chunks = [one for one in json.load(file)["chunks"] if "hex" in one]

    def bytes_of(self, direction):
        return b"".join(bytes.fromhex(one["hex"]) for one in self.chunks
                        if one["dir"] == direction)

    def turns(self):
        """[(what the client wrote, how many messages the server had answered with when the client
        wrote again)]"""
        found, answers, before = [], b"", 0
        for one in self.chunks:
            data = bytes.fromhex(one["hex"])
            if one["dir"] == "s2c":
                answers += data
                found[-1][1] = whole_messages(answers) - before
                continue
            if not found or found[-1][2] != len(answers):
                before = whole_messages(answers)
                found.append([b"", 0, len(answers)])
            found[-1][0] += data
        return [(written, count) for written, count, _ in found]

    @property
    def version(self):
        """0x71 to 0x74, as its LOGIN7 asks for."""
        for kind, _, payload in tds_tokens.messages(self.bytes_of("c2s")):
            if kind == LOGIN7:
                return payload[7]
        raise AssertionError("no LOGIN7")

    def replies(self):
        """The shapes of all replies but that to PRELOGIN."""
        found = tds_tokens.messages(self.bytes_of("s2c"))[1:]
        return [tds_tokens.shape(tds_tokens.tokens(payload, self.version))
                for _, _, payload in found]


def whole_messages(data):
    at = count = 0
    while at + 8 <= len(data):
        _, status, size = struct.unpack_from(">BBH", data, at)
        at += size
        count += at <= len(data) and status & 1
    return count


def kinds_of(data):
    """The types of the packets that a client has written."""
    at, found = 0, []
    while at < len(data):
        kind, _, size = struct.unpack_from(">BBH", data, at)
        found.append(kind)
        at += size
    return found


def with_descriptor(data, descriptor):
    """The packets of a turn, with the transaction descriptor of this server's own."""
    out, at, begins = b"", 0, True
    while at < len(data):
        kind, status, size = struct.unpack_from(">BBH", data, at)
        packet = data[at:at + size]
        if begins and kind in (1, 3, TRANSACTION) and packet[8:18] == HEADER_START:
            packet = packet[:18] + struct.pack("<Q", descriptor) + packet[26:]
        begins = bool(status & 1)
        out, at = out + packet, at + size
    return out


class Replay:
    """Writes a recording's requests to a server, each when the reply before has come. After an
    attention it reads to the acknowledgement, which may end the reply or be one of its own."""

    def __init__(self, recording, port):
        self.recording = recording
        self.found = []
        self.closed = False
        with TdsClient(port) as client:
            client.version = recording.version << 24 | (1 if recording.version == 0x71 else 0)
            try:
                self._play(client)
            except Closed:
                self.closed = True

    def _play(self, client):
        for written, count in self.recording.turns():
            client.write(with_descriptor(written, client.descriptor))
            if written[0] == PRELOGIN:
                client.message()
                continue
            if ATTENTION in kinds_of(written):
                while not self.found or self.found[-1][-1] != ACKNOWLEDGED:
                    self.found.append(tds_tokens.shape(client.reply()))
                continue
            for _ in range(count):
                self.found.append(tds_tokens.shape(client.reply()))
