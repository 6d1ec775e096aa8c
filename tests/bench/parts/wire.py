"""A minimal PostgreSQL client: log in (trust or scram-sha-256), run a simple query. Raw blocking sockets."""

import base64
import hashlib
import hmac
import os
import socket
import struct


class WireError(Exception):
    pass


def _hmac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


class Scram:
    """Client half of SCRAM-SHA-256. The salted password is kept per salt and iteration count, as the
    derivation would otherwise dominate thousands of logins."""

    _salted = {}

    def __init__(self, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first_bare = "n=,r=" + self.nonce

    def first(self):
        return ("n,," + self.first_bare).encode()

    def final(self, server_first):
        text = server_first.decode()
        fields = dict(part.split("=", 1) for part in text.split(","))
        if not fields["r"].startswith(self.nonce):
            raise WireError("the server did not keep our nonce")
        salted = self._salted_password(base64.b64decode(fields["s"]), int(fields["i"]))
        without_proof = "c=biws,r=" + fields["r"]
        signed = ",".join([self.first_bare, text, without_proof]).encode()
        client_key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        return (without_proof + ",p=" + base64.b64encode(proof).decode()).encode()

    def _salted_password(self, salt, iterations):
        key = (self.password, salt, iterations)
        if key not in self._salted:
            self._salted[key] = hashlib.pbkdf2_hmac("sha256", self.password, salt, iterations)
        return self._salted[key]


def scram_verifier(password, iterations=4096):
    """The text PostgreSQL and PgBouncer store for a user."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server = _hmac(salted, b"Server Key")
    encode = lambda data: base64.b64encode(data).decode()
    return f"SCRAM-SHA-256${iterations}:{encode(salt)}${encode(stored)}:{encode(server)}"


class Client:
    def __init__(self, port, database="bench", user="bench", password="", timeout=30):
        self.buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        try:
            self._log_in(user, database, password)
        except Exception:
            self.socket.close()
            raise

    def close(self):
        try:
            self.socket.sendall(b"X\0\0\0\4")
        except OSError:
            pass
        self.socket.close()

    def query(self, text):
        """Runs one simple query and returns the first column of its rows."""
        self._send(b"Q", text.encode() + b"\0")
        values = []
        while True:
            kind, body = self._receive()
            if kind == b"D":
                length = struct.unpack_from("!i", body, 2)[0]
                values.append(body[6:6 + length].decode() if length >= 0 else None)
            if kind == b"Z":
                return values

    def _log_in(self, user, database, password):
        self._send_startup(user, database)
        scram = None
        while True:
            kind, body = self._receive()
            if kind == b"Z":
                return
            if kind == b"R":
                scram = self._authenticate(body, scram, password)

    def _send_startup(self, user, database):
        pairs = f"user\0{user}\0database\0{database}\0\0".encode()
        self.socket.sendall(struct.pack("!ii", 8 + len(pairs), 196608) + pairs)

    def _authenticate(self, body, scram, password):
        step = struct.unpack_from("!i", body)[0]
        if step == 10:
            scram = Scram(password)
            first = scram.first()
            self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
        elif step == 11:
            self._send(b"p", scram.final(body[4:]))
        elif step not in (0, 12):
            raise WireError(f"unexpected authentication request {step}")
        return scram

    def _send(self, kind, body):
        self.socket.sendall(kind + struct.pack("!i", len(body) + 4) + body)

    def _receive(self):
        head = self._take(5)
        body = self._take(struct.unpack_from("!i", head, 1)[0] - 4)
        if head[:1] == b"E":
            fields = [part.decode(errors="replace") for part in body.split(b"\0") if part]
            raise WireError(" ".join(field[1:] for field in fields if field[0] in "CM"))
        return head[:1], body

    def _take(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(65536)
            if not data:
                raise WireError("the connection was closed")
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken
