"""The server: users, databases, all connections; listens until SIGTERM."""

import argparse
import asyncio
import collections
import json
import pathlib
import signal
import socket
import ssl
import struct
import subprocess
import tempfile

from . import values
from .control import Control, session_facts
from .faults import Orders
from .session import Session
from .state import Spids
from .storage import Storage
from .values import Value, nvarchar

RELEASE, BABELFISH_RELEASE = (16, 0, 1000), (12, 0, 2000)
HISTORY_MAX = 10000


class House:
    def __init__(self, wishes):
        self.encrypt, self.packet_size = wishes.encrypt, wishes.packet_size
        self.babelfish, self.name = wishes.babelfish, wishes.name
        self.attention_with_reply = wishes.attention_with_reply
        self.users = dict(one.split(":", 1) for one in wishes.user)
        self.roles = dict(one.split(":", 1) for one in wishes.role)
        self.certificate, self.key = wishes.certificate, wishes.key
        self.storage, self.spids, self.orders = Storage(wishes.database), Spids(), Orders()
        self.connections, self.open = set(), []
        self.history, self.violations = [], []
        self.totals = collections.Counter()
        self.lock_event = asyncio.Event()
        self.describe(wishes)

    def describe(self, wishes):
        """What it says it is."""
        major, minor, build = BABELFISH_RELEASE if self.babelfish else RELEASE
        self.release = struct.pack(">BBHH", major, minor, build, 0)
        self.release_number = major << 24 | minor << 16 | build
        version = f"{major}.{minor}.{build}.0"
        self.program = wishes.program or "Microsoft SQL Server"
        self.version_text = (f"Babelfish for PostgreSQL, stand-in for tests - {version}"
                             if self.babelfish else
                             f"Microsoft SQL Server, stand-in for tests - {version} (X64)")
        texts = {"ProductVersion": version, "Edition": "Developer Edition (64-bit)",
                 "ServerName": self.name, "MachineName": self.name, "ProductLevel": "RTM",
                 "Collation": "SQL_Latin1_General_CP1_CI_AS"}
        if self.babelfish:
            texts["BabelfishVersion"] = "4.3.0"
        numbers = {"EngineEdition": 3, "IsIntegratedSecurityOnly": 0, "IsClustered": 0}
        self.properties = {key.lower(): Value(nvarchar(128), text) for key, text in texts.items()}
        self.properties |= {key.lower(): Value(values.INT, number)
                            for key, number in numbers.items()}

    # --- connections ------------------------------------------------------------------------

    async def accept(self, reader, writer):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(self, reader, writer)
        session.task = asyncio.current_task()
        self.connections.add(session)
        self.totals["connections"] += 1
        await session.run()

    def remember(self, session):
        """It has logged in."""
        self.open.append(session)
        self.totals["logins"] += 1

    def forget(self, session):
        self.connections.discard(session)
        if session.state is None:
            if session.why.startswith("violation"):
                self.totals["refused"] += 1
            return
        self.spids.used.discard(session.state.spid)
        if session not in self.open:
            self.totals["failed_logins"] += 1
            return
        self.open.remove(session)
        facts = session_facts(session) | {"why": session.why}
        self.history.append(facts)
        del self.history[:-HISTORY_MAX]
        for name in ("requests", "attentions", "acknowledged", "resets", "skipped_resets"):
            self.totals[name] += facts[name]

    def sessions(self):
        return list(self.open)

    def counts(self):
        found = collections.Counter(self.totals)
        for one in map(session_facts, self.open):
            for name in ("requests", "attentions", "acknowledged", "resets", "skipped_resets"):
                found[name] += one[name]
        return dict(found) | {"open": len(self.open), "connected": len(self.connections),
                              "violations": len(self.violations), "attentions": found["attentions"],
                              "acknowledged": found["acknowledged"]}

    def kill(self, spid):
        for one in self.open:
            if one.state.spid == spid:
                one.why = "killed"
                one.task.cancel()
                return True
        return False

    # --- what the others ask ----------------------------------------------------------------

    def knows(self, login):
        return login in self.users

    def locks_changed(self):
        return self.lock_event

    def lock_freed(self):
        old, self.lock_event = self.lock_event, asyncio.Event()
        old.set()

    def tls_context(self, strict):
        """With TDS 7.x drivers speak 1.2 at most, and 1.3 would send tickets after the
        handshake."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        context.num_tickets = 0
        if strict:
            context.set_alpn_protocols(["tds/8.0"])
        else:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def make_certificate(directory):
    """One of its own, as SQL Server makes one."""
    certificate, key = directory / "server.crt", directory / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=SSL_Self_Signed_Fallback", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out",
                    str(certificate)], check=True, capture_output=True, timeout=60)
    return str(certificate), str(key)


def wishes():
    parser = argparse.ArgumentParser(prog="tds_server", description="A SQL Server for tests.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--user", action="append", default=[], metavar="NAME:PASSWORD")
    parser.add_argument("--role", action="append", default=[], metavar="NAME:PASSWORD",
                        help="an application role")
    parser.add_argument("--database", action="append", default=[], metavar="NAME")
    parser.add_argument("--babelfish", action="store_true", help="answer as Babelfish does")
    parser.add_argument("--encrypt", choices=("off", "on", "required", "strict"), default="on")
    parser.add_argument("--certificate", help="PEM; made anew without")
    parser.add_argument("--key", help="PEM")
    parser.add_argument("--packet-size", type=int, default=0, help="the largest one granted")
    parser.add_argument("--attention-with-reply", action="store_true",
                        help="acknowledge an attention in the message that it has cut short; "
                        "MS-TDS allows that, SQL Server's drivers do not all expect it")
    parser.add_argument("--name", default="TESTSERVER")
    parser.add_argument("--program", default="", help="the name in LOGINACK")
    return parser.parse_args()


async def listen(house, asked):
    stop = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    server = await asyncio.start_server(house.accept, asked.host, asked.port, backlog=512)
    control = await asyncio.start_server(Control(house).serve, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1],
                      "control": control.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    server.close()
    control.close()
    for one in list(house.connections):
        one.why = "the server ends"
        one.task.cancel()
    await asyncio.gather(*(one.task for one in list(house.connections)), return_exceptions=True)


async def run(asked):
    await listen(House(asked), asked)


def main():
    asked = wishes()
    with tempfile.TemporaryDirectory(prefix="tds-server-") as directory:
        if asked.encrypt != "off" and not asked.certificate:
            asked.certificate, asked.key = make_certificate(pathlib.Path(directory))
        asyncio.run(run(asked))
