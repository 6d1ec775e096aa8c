"""`Wire`: a small raw PostgreSQL client over a socket. It hides nothing: every message that
arrives is handed to the test, every byte that is sent was built by the test."""

import hashlib
import select
import socket
import struct

from . import messages as pg
from .messages import Message
from .scram import ScramClient

READ_TIMEOUT_S = 20


class ServerError(Exception):
    """An ErrorResponse where the test did not ask for one."""

    def __init__(self, message):
        super().__init__(repr(message))
        self.message = message
        self.sqlstate = message.sqlstate


class Closed(Exception):
    """The other side has closed the connection."""


class Wire:
    """`startup` keywords become startup parameters. `chunk=1` sends every byte in a packet of
    its own. `login=False` only connects. `tls` is an ssl.SSLContext; `direct`: without asking;
    `bound`: a SCRAM login is bound to the channel."""

    def __init__(self, address, user="app", database="app", password=None, *, startup=None,
                 login=True, chunk=None, receive_buffer=None, timeout=READ_TIMEOUT_S, tls=None,
                 direct=False, bound=False, version=pg.PROTOCOL_3_0):
        self.chunk, self.bound, self.version = chunk, bound, version
        self.address, self.user, self.password = address, user, password
        self.buffer, self.at = b"", 0
        self.parameters = {}
        self.pid, self.secret = None, None
        self.login_messages = []
        self.socket = self._connect(address, receive_buffer, timeout)
        if tls:
            self.secure(tls, direct)
        if login:
            self.log_in({"user": user, "database": database, **(startup or {})})

    @staticmethod
    def _connect(address, receive_buffer, timeout):
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(timeout)
        sock.connect(address)
        if family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def secure(self, context, direct=False):
        if not direct:
            self.socket.sendall(pg.ssl_request())
            assert self.socket.recv(1) == b"S"
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- sending ----------------------------------------------------------------------------

    def send(self, *parts):
        data = b"".join(parts)
        if not self.chunk:
            self.socket.sendall(data)
            return
        for at in range(0, len(data), self.chunk):
            self.socket.sendall(data[at:at + self.chunk])

    # --- receiving --------------------------------------------------------------------------

    def _fill(self, size):
        have = len(self.buffer) - self.at
        if have >= size:
            return
        pieces = [self.buffer[self.at:]]
        while have < size:
            try:
                data = self.socket.recv(max(65536, min(size - have, 1 << 20)))
            except ConnectionResetError:
                raise Closed("reset") from None
            if not data:
                raise Closed(f"end of stream with {have} bytes of {size}")
            pieces.append(data)
            have += len(data)
        self.buffer, self.at = b"".join(pieces), 0

    def read(self):
        self._fill(5)
        size = struct.unpack_from("!I", self.buffer, self.at + 1)[0]
        self._fill(size + 1)
        end = self.at + size + 1
        found = Message(chr(self.buffer[self.at]), self.buffer[self.at + 5:end])
        self.at = end
        if found.type == "S":
            name, value = found.parameter
            self.parameters[name] = value
        return found

    def read_types(self, word):
        """Reads as many messages as `word` has letters and requires exactly these types."""
        found = [self.read() for _ in word]
        assert pg.types(found) == word, found
        return found

    def until(self, kind):
        found = [self.read()]
        while found[-1].type != kind:
            found.append(self.read())
        return found

    def until_ready(self, count=1):
        """All messages up to and with the `count`-th ReadyForQuery."""
        found = []
        for _ in range(count):
            found += self.until("Z")
        return found

    def until_closed(self):
        """All messages until the other side closes."""
        found = []
        try:
            while True:
                found.append(self.read())
        except Closed:
            return found

    def readable(self, wait_s=0.0):
        """Whether something (data or an end) is there within `wait_s`."""
        return self.at < len(self.buffer) or bool(select.select([self.socket], [], [], wait_s)[0])

    # --- conversations ----------------------------------------------------------------------

    def log_in(self, parameters):
        self.send(pg.startup(parameters, self.version))
        scram = None
        while True:
            found = self.read()
            self.login_messages.append(found)
            if found.type == "E":
                raise ServerError(found)
            if found.type == "K":
                self.pid, self.secret = struct.unpack_from("!I", found.body)[0], found.body[4:]
            if found.type == "R":
                scram = self._authenticate(found.body, scram)
            if found.type == "Z":
                return

    def _authenticate(self, body, scram):
        kind = struct.unpack_from("!I", body)[0]
        if kind == 3:
            self.send(pg.password(self.password))
        elif kind == 5:
            inner = hashlib.md5((self.password + self.user).encode()).hexdigest()
            outer = hashlib.md5(inner.encode() + body[4:8]).hexdigest()
            self.send(pg.password("md5" + outer))
        elif kind == 10:
            scram = ScramClient(self.password, self._end_point() if self.bound else None)
            assert pg.text(scram.mechanism) in body, body
            first = scram.first()
            head = pg.text(scram.mechanism) + struct.pack("!I", len(first))
            self.send(pg.message("p", head + first))
        elif kind == 11:
            self.send(pg.message("p", scram.final(body[4:])))
        elif kind == 12:
            scram.verify(body[4:])
        else:
            assert kind == 0, f"unknown authentication request {kind}"
        return scram

    def _end_point(self):
        """tls-server-end-point (RFC 5929) for a certificate that is signed with SHA-256."""
        return hashlib.sha256(self.socket.getpeercert(binary_form=True)).digest()

    def query(self, sql):
        """One simple query; all messages of its answer."""
        self.send(pg.query(sql))
        return self.until_ready()

    def rows(self, sql):
        """One simple query that must not fail; its rows."""
        found = self.query(sql)
        for one in found:
            if one.type == "E":
                raise ServerError(one)
        return pg.rows(found)

    def value(self, sql):
        return self.rows(sql)[0][0]

    def extended(self, sql, *values):
        """Parse, Bind, Execute, Sync of the unnamed statement; all messages of the answer."""
        self.send(pg.batch(sql, values), pg.sync())
        return self.until_ready()

    def backend_pid(self):
        return int(self.value("select pg_backend_pid()"))

    def cancel(self, pid=None, secret=None):
        """Sends a CancelRequest on a new connection and waits for its end."""
        with Wire(self.address, login=False) as other:
            other.send(pg.cancel_request(self.pid if pid is None else pid, secret or self.secret))
            assert other.until_closed() == []

    # --- ending -----------------------------------------------------------------------------

    def close(self):
        self.socket.close()

    def terminate(self):
        self.send(pg.terminate())
        self.close()

    def abort(self):
        """Ends the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
