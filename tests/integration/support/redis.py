"""A real redis-server, and a client that sends bytes as they are."""

import os
import select
import socket
import subprocess
import tempfile

from support.waiting import accepts, eventually, free_port


def command(*words):
    out = b"*%d\r\n" % len(words)
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        out += b"$%d\r\n%s\r\n" % (len(word), word)
    return out


class RedisServer:
    def __init__(self, options=()):
        self.port = free_port()
        self.options = options
        self.directory = tempfile.TemporaryDirectory(prefix="weir-redis-")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self.directory.name, *self.options],
            stdout=open(os.path.join(self.directory.name, "log"), "ab"), stderr=subprocess.STDOUT)
        eventually(lambda: accepts(("127.0.0.1", self.port)))

    def client(self):
        return RedisClient(self.port)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.kill()
        self.directory.cleanup()


class Push(list):
    """What the server says unasked, in RESP3."""


class Verbatim(bytes):
    """Text with its format in front, in RESP3."""


class Attributed:
    """An answer with attributes before it, in RESP3."""

    def __init__(self, attributes, answer):
        self.attributes, self.answer = attributes, answer


SCALARS = {
    b"+": bytes,
    b"-": lambda rest: RuntimeError(rest.decode()),
    b":": int,
    b"(": int,
    b",": float,
    b"#": lambda rest: rest == b"t",
    b"_": lambda rest: None,
}
BODIES = {b"$": bytes, b"=": Verbatim, b"!": lambda body: RuntimeError(body.decode())}
GROUPS = {b"*": list, b"~": set, b">": Push}


class RedisClient:
    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.taken = b""  # of the answer that is read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _readable(self, wait_s=0):
        return bool(select.select([self.socket], [], [], wait_s)[0])

    def silent(self, wait_s=0):
        """Nothing has come."""
        return not self.buffer and not self._readable(wait_s)

    def is_closed(self):
        """The other side has ended the connection; all that came before it is in `buffer`."""
        try:
            while self._readable():
                self._more()
        except ConnectionError:
            return True
        return False

    def _take(self, size):
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        self.taken += taken
        return taken[:-2]

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        return self._take(self.buffer.index(b"\r\n") + 2)

    def _body(self, size):
        while len(self.buffer) < size + 2:
            self._more()
        return self._take(size + 2)

    def _more(self):
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data

    def read(self):
        """One reply: bytes, int, list, None, or an Exception for an error; in RESP3 also
        float, bool, dict, set, and the classes above."""
        self.taken = b""
        return self._read()

    def raw(self):
        """One reply, as it was sent."""
        self.read()
        return self.taken

    def _read(self):
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind in SCALARS:
            return SCALARS[kind](rest)
        if rest == b"-1":
            return None
        count = int(rest)
        if kind in BODIES:
            return BODIES[kind](self._body(count))
        if kind == b"%":
            return {self._read(): self._read() for _ in range(count)}
        if kind == b"|":
            return Attributed({self._read(): self._read() for _ in range(count)}, self._read())
        assert kind in GROUPS, line
        return GROUPS[kind]([self._read() for _ in range(count)])

    def do(self, *words):
        self.send(command(*words))
        return self.read()

    def do_raw(self, *words):
        self.send(command(*words))
        return self.raw()
