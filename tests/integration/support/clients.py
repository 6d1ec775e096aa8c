"""Which clients the matrix has, how they differ, and in which words each of them refuses."""

import importlib.util
import pathlib
import shutil
from dataclasses import dataclass, field

from .speakers import WAYS, Speaker

PGJDBC = pathlib.Path("/usr/share/java/postgresql.jar")


@dataclass
class Client:
    """`says`: what it says by itself when it does not like the server."""
    script: str
    needs: list  # functions that say whether a part of it is installed
    says: dict = field(default_factory=dict)
    falls_back: bool = True  # from TLS to clear, with `prefer`
    on_sockets: str = "clear"  # what it makes of TLS over a unix socket; "": it has no such sockets

    @property
    def is_installed(self):
        return all(need() for need in self.needs)

    def start(self):
        return Speaker.in_python(self.script)

    def ways(self, mode, over_socket=False):
        """What it tries, one after the other."""
        if over_socket:
            return ["clear" if mode in ("disable", "allow") else self.on_sockets]
        return WAYS[mode] if self.falls_back or mode == "allow" else WAYS[mode][:1]


def program(name):
    return lambda: shutil.which(name) is not None


def module(name):
    return lambda: importlib.util.find_spec(name) is not None


LIBPQ = {
    "no TLS": "server does not support SSL, but SSL was required",
    "wrong name": 'does not match host name "127.0.0.1"',
    "wrong authority": "certificate verify failed",
    "no certificate": "requires a valid client certificate",
    "unknown authority": "unknown ca",
}

CLIENTS = {
    "psql": Client("with_psql.py", [program("psql")], LIBPQ),
    "psycopg": Client("with_psycopg.py", [module("psycopg")], LIBPQ),
    "asyncpg": Client("with_asyncpg.py", [module("asyncpg")], {
        "no TLS": "rejected SSL upgrade",
        "wrong name": "certificate is not valid for '127.0.0.1'",
        "wrong authority": "certificate verify failed",
        "no certificate": "requires a valid client certificate",
        "unknown authority": "unknown ca",
    }),
    "node-postgres": Client("", [], {
        "no TLS": "The server does not support SSL connections",
        "wrong name": "IP: 127.0.0.1 is not in the cert's list",
        "wrong authority": "self-signed certificate in certificate chain",
        "no certificate": "requires a valid client certificate",
        "unknown authority": "unknown ca",
    }, falls_back=False, on_sockets="TLS"),
    "pgjdbc": Client("with_pgjdbc.py", [module("jpype"), program("java"), PGJDBC.exists], {
        "no TLS": "The server does not support SSL",
        "wrong name": "The hostname 127.0.0.1 could not be verified",
        "wrong authority": "unable to find valid certification path",
        "no certificate": "requires a valid client certificate",
        "unknown authority": "requires a valid client certificate",  # it shows none that weir has not asked for
    }, on_sockets=""),
}
