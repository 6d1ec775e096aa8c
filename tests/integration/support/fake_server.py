"""`FakeServer`: a scripted PostgreSQL server. It logs everybody in, records every message and
answers like a very forgetful database, unless the test's hooks say otherwise."""

import os
import re
import socket
import struct
import threading

from . import messages as pg
from .messages import Message
from .waiting import eventually

SECRET = b"\x01\x02\x03\x04"
STATUS = {"server_version": "15.0", "client_encoding": "UTF8", "server_encoding": "UTF8",
          "DateStyle": "ISO, MDY", "TimeZone": "Etc/UTC", "integer_datetimes": "on",
          "IntervalStyle": "postgres", "standard_conforming_strings": "on",
          "application_name": "", "is_superuser": "off", "session_authorization": "app",
          "in_hot_standby": "off", "default_transaction_read_only": "off"}


class FakeConnection:
    """One accepted connection; runs in a thread of its own."""

    def __init__(self, server, sock, index):
        self.server, self.socket, self.index = server, sock, index
        self.buffer = b""
        self.received = []
        self.parameters = {}
        self.status = "I"
        self.ended = threading.Event()

    # --- what scripts use -------------------------------------------------------------------

    def send(self, *parts):
        self.socket.sendall(b"".join(parts))

    def read(self):
        kind = self._take(1)
        size = struct.unpack("!I", self._take(4))[0]
        found = Message(kind.decode("latin-1"), self._take(size - 4))
        self.received.append(found)
        return found

    def expect(self, word):
        """The next messages must have exactly these types."""
        found = [self.read() for _ in word]
        assert pg.types(found) == word, found
        return found

    def close(self):
        self.socket.close()
        self.ended.set()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    @property
    def queries(self):
        return [m.body[:-1].decode() for m in self.received if m.type == "Q"]

    # --- the conversation -------------------------------------------------------------------

    def _take(self, size):
        while len(self.buffer) < size:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self.buffer += data
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def run(self):
        try:
            if self.server.tls:
                self.socket = self.server.tls.wrap_socket(self.socket, server_side=True)
            if self._greet():
                self.server.script(self)
        except (EOFError, OSError):
            pass
        except AssertionError as wrong:
            self.server.failures.append(wrong)
        finally:
            self.close()

    def _greet(self):
        """Handles one startup, SSL or cancel packet; true after a login."""
        while True:
            size, code = struct.unpack("!II", self._take(8))
            body = self._take(size - 8)
            if code in (pg.SSL_CODE, pg.GSSENC_CODE):
                self.server.asked_for_tls += 1
                self.send(self.server.answer_to_ssl)
                continue
            if code == pg.CANCEL_CODE:
                self.server.on_cancel(struct.unpack_from("!I", body)[0], body[4:])
                return False
            self.version = code
            words = [word.decode() for word in body.rstrip(b"\0").split(b"\0")]
            self.parameters = dict(zip(words[::2], words[1::2]))
            self.server.logged_in(self)
            return self.server.log_in(self)

    def serve(self):
        """The forgetful database."""
        while True:
            found = self.read()
            if found.type == "X":
                return
            answer = self._answer(found)
            if answer:
                self.send(answer)

    def _answer(self, found):
        if found.type == "Q":
            sql = found.body[:-1].decode()
            special = self.server.on_query(self, sql) if self.server.on_query else None
            return self.answer_query(sql) if special is None else special
        if found.type == "S":
            return pg.ready(self.status)
        if found.type == "D":
            no_parameters = pg.message("t", b"\0\0") if found.body[:1] == b"S" else b""
            return no_parameters + pg.message("n")
        simple = {"P": pg.message("1"), "B": pg.message("2"), "C": pg.message("3"),
                  "E": pg.command_complete("SELECT 0")}
        return simple.get(found.type, b"")

    def answer_query(self, sql):
        parts = [part.strip() for part in sql.split(";") if part.strip()]
        if not parts:
            return pg.message("I") + pg.ready(self.status)
        return b"".join(self._answer_statement(part) for part in parts) + pg.ready(self.status)

    def _answer_statement(self, sql):
        word = re.match(r"\w*", sql).group().upper()
        if word in ("BEGIN", "START"):
            self.status = "T"
        if word in ("COMMIT", "ROLLBACK", "END", "ABORT"):
            self.status = "I"
        if word in ("SELECT", "SHOW", "TABLE", "VALUES"):
            return pg.result(f"fake {self.index}")
        tag = sql.upper() if word in ("DISCARD", "DEALLOCATE") else word
        return pg.command_complete(tag)


class FakeServer:
    """Hooks: `script(connection)` runs after a login (default: serve) · `on_query(connection,
    sql)` gives an answer or None for the usual one · `log_in(connection)` greets."""

    def __init__(self, on_query=None, script=None, tls=None):
        self.on_query = on_query
        self.tls = tls  # a context: spoken from the first byte
        self.asked_for_tls = 0
        self.script = script or FakeConnection.serve
        self.log_in = self.accept_login
        self.answer_to_ssl = b"N"
        self.connections, self.cancels, self.failures = [], [], []
        self.cancels_may_end = threading.Event()
        self.cancels_may_end.set()
        self.host = "127.0.0.1"
        self.listener = socket.create_server((self.host, 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.threads = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return (self.host, self.port)

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            one = FakeConnection(self, sock, len(self.connections))
            thread = threading.Thread(target=one.run, daemon=True)
            self.threads.append(thread)
            thread.start()

    def logged_in(self, connection):
        connection.index = len(self.connections)
        self.connections.append(connection)

    def accept_login(self, connection):
        connection.send(
            pg.authentication_ok(),
            *(pg.parameter_status(*pair) for pair in self.status_of(connection).items()),
            pg.backend_key(os.getpid() + connection.index, SECRET),
            pg.ready())
        return True

    @staticmethod
    def status_of(connection):
        """Reported settings, with what the startup packet asked for."""
        asked = {key.lower(): value for key, value in connection.parameters.items()}
        return {key: asked.get(key.lower(), value) for key, value in STATUS.items()}

    def on_cancel(self, pid, secret):
        self.cancels.append((pid, secret))
        self.cancels_may_end.wait(30)

    # --- for tests --------------------------------------------------------------------------

    @property
    def queries(self):
        return [sql for one in list(self.connections) for sql in one.queries]

    def wait_for_query(self, sql, within_s=10):
        eventually(lambda: sql in self.queries, within_s, f"query {sql!r} at the fake server")

    def wait_for_cancel(self):
        eventually(lambda: self.cancels, what="a cancel request at the fake server")

    def open_connections(self):
        return [one for one in list(self.connections) if not one.ended.is_set()]

    def stop(self):
        self.cancels_may_end.set()
        self.listener.close()
        for one in list(self.connections):
            try:
                one.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(5)
        assert not self.failures, self.failures
