"""`Gate`: a TCP forwarder between weir and a server which can misbehave on demand."""

import selectors
import socket
import struct
import threading


class _Link:
    """One forwarded connection: two sockets and what waits to be written to each."""

    def __init__(self, near, far):
        self.near, self.far = near, far
        self.pending = {near: bytearray(), far: bytearray()}

    def peer(self, sock):
        return self.far if sock is self.near else self.near


class Gate:
    """Attributes that a test may set at any time:
    stall_to_server, stall_to_client: deliver nothing that way · chunk: at most so many bytes for
    each send · swallow_new: accept connections but never forward them."""

    def __init__(self, upstream, host="127.0.0.1", port=0):
        self.upstream = upstream
        self.stall_to_server = self.stall_to_client = self.swallow_new = False
        self.chunk = None
        self.sent_to_server, self.sent_to_client = bytearray(), bytearray()
        self.recording = False
        self.accepted = 0
        self.host = host
        self.links, self.swallowed = [], []
        self.listener = self._listen(port)
        self.port = self.listener.getsockname()[1]
        self.stopping = threading.Event()
        self.lock = threading.RLock()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def address(self):
        return (self.host, self.port)

    def _listen(self, port):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, port))
        listener.listen(128)
        listener.setblocking(False)
        return listener

    # --- faults -----------------------------------------------------------------------------

    def refuse(self):
        """New connections are refused until `accept()`."""
        with self.lock:
            if self.listener:
                self.listener.close()
                self.listener = None

    def accept(self):
        with self.lock:
            if not self.listener:
                self.listener = self._listen(self.port)

    def reset_all(self):
        """Every open connection ends with a reset on both sides."""
        with self.lock:
            for link in self.links:
                for sock in (link.near, link.far):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    sock.close()
            self.links.clear()

    def stop(self):
        self.stopping.set()
        self.thread.join(10)
        self.refuse()
        for link in self.links:
            link.near.close()
            link.far.close()
        for sock in self.swallowed:
            sock.close()

    # --- the loop ---------------------------------------------------------------------------

    def _run(self):
        while not self.stopping.is_set():
            with self.lock:
                selector = self._interests()
            for key, events in selector.select(0.02):
                with self.lock:
                    self._handle(key, events)
            selector.close()

    def _interests(self):
        selector = selectors.DefaultSelector()
        if self.listener:
            selector.register(self.listener, selectors.EVENT_READ)
        for link in self.links:
            for sock in (link.near, link.far):
                events = 0
                if len(link.pending[link.peer(sock)]) < 65536:
                    events |= selectors.EVENT_READ
                if link.pending[sock] and not self._stalled(link, sock):
                    events |= selectors.EVENT_WRITE
                if events:
                    selector.register(sock, events, link)
        return selector

    def _stalled(self, link, sock):
        return self.stall_to_server if sock is link.far else self.stall_to_client

    def _handle(self, key, events):
        sock = key.fileobj
        if sock.fileno() < 0:
            return
        if sock is self.listener:
            self._accept()
            return
        try:
            if events & selectors.EVENT_WRITE:
                self._write(key.data, sock)
            if events & selectors.EVENT_READ:
                self._read(key.data, sock)
        except OSError:
            self._drop(key.data)

    def _accept(self):
        near, _ = self.listener.accept()
        self.accepted += 1
        if self.swallow_new:
            self.swallowed.append(near)
            return
        try:
            far = socket.create_connection(self.upstream)
        except OSError:
            near.close()
            return
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.links.append(_Link(near, far))

    def _read(self, link, sock):
        data = sock.recv(65536)
        if not data:
            self._drop(link)
            return
        link.pending[link.peer(sock)] += data
        if self.recording:
            (self.sent_to_server if sock is link.near else self.sent_to_client).extend(data)

    def _write(self, link, sock):
        pending = link.pending[sock]
        size = sock.send(pending[:self.chunk] if self.chunk else pending)
        del pending[:size]

    def _drop(self, link):
        """One side has ended: what it said last still reaches the other."""
        for sock in (link.near, link.far):
            try:
                if link.pending[sock] and not self._stalled(link, sock):
                    sock.send(link.pending[sock])
            except OSError:
                pass
            sock.close()
        if link in self.links:
            self.links.remove(link)
