"""A real redis-server, and a client that sends bytes as they are."""

import os
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
    def __init__(self):
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory(prefix="weir-redis-")
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
             "--dir", self.directory.name],
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


class RedisClient:
    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def _line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed")
        self.buffer += data

    def read(self):
        """One reply: bytes, int, list, None, or an Exception for an error."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._body(int(rest))
        assert kind == b"*", line
        return None if rest == b"-1" else [self.read() for _ in range(int(rest))]

    def _body(self, size):
        while len(self.buffer) < size + 2:
            self._more()
        body, self.buffer = self.buffer[:size], self.buffer[size + 2:]
        return body

    def do(self, *words):
        self.send(command(*words))
        return self.read()
