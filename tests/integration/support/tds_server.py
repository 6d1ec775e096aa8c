"""Starts the TDS server that stands in for SQL Server, and asks it at its side door."""

import json
import os
import pathlib
import socket
import subprocess
import tempfile

from .tds_client import TdsClient
from .waiting import eventually

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "support" / "tds_server" / "run"
USER, PASSWORD = "app", "secret"


class TdsServer:
    """`TdsServer("--babelfish", users={...})`; stop() fails when a client was caught misbehaving,
    unless the test has looked at the violations itself with `caught()`. With `port` it takes the
    place of one that has ended."""

    def __init__(self, *options, users=None, databases=("app", "second"), port=0):
        users = {USER: PASSWORD} if users is None else users
        words = [str(PROGRAM), "--port", str(port), *map(str, options)]
        for name, password in users.items():
            words += ["--user", f"{name}:{password}"]
        for name in databases:
            words += ["--database", name]
        self.errors = tempfile.TemporaryFile("w+")
        self.directory = tempfile.TemporaryDirectory(prefix="weir-tds-")
        self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True,
                                        env={**os.environ, "TMPDIR": self.directory.name})
        line = self.process.stdout.readline()
        assert line, f"no TDS server:\n{self._printed()}"
        self.host, said = "127.0.0.1", json.loads(line)
        self.port = said["port"]
        self.door = socket.create_connection((self.host, said["control"]), 10).makefile("rw")

    @property
    def address(self):
        return (self.host, self.port)

    # --- the side door ----------------------------------------------------------------------

    def ask(self, do, **details):
        self.door.write(json.dumps({"do": do, **details}) + "\n")
        self.door.flush()
        found = json.loads(self.door.readline())
        assert not (isinstance(found, dict) and "wrong" in found), found
        return found

    def sessions(self):
        return self.ask("sessions")

    def session(self, **wanted):
        """The only one that is like that."""
        found = [one for one in self.sessions()
                 if all(one[key] == value for key, value in wanted.items())]
        assert len(found) == 1, found
        return found[0]

    def counts(self):
        return self.ask("counts")

    def history(self):
        return self.ask("history")

    def fault(self, what, **details):
        self.ask("fault", what=what, **details)

    def violations(self):
        return [one["text"] for one in self.ask("violations")]

    def caught(self):
        """The violations, once there are some; they are forgiven then."""
        found = eventually(self.violations, what="a violation")
        self.ask("forget")
        return found

    # --- clients ----------------------------------------------------------------------------

    def client(self, user=USER, password=PASSWORD, **options):
        one = TdsClient(self.port)
        one.login(user, password, **options)
        return one

    def kill(self):
        """Without a word to anybody."""
        self.process.kill()
        self.process.wait()
        self.door.close()
        self.errors.close()
        self.directory.cleanup()

    # --- the end ----------------------------------------------------------------------------

    def _printed(self):
        self.errors.seek(0)
        return self.errors.read()

    def stop(self):
        try:
            found = self.violations() if self.process.poll() is None else []
        finally:
            self.door.close()
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.directory.cleanup()
        printed = self._printed()
        assert not found, f"a client misbehaved: {found}"
        assert "Traceback" not in printed, printed[-3000:]
        assert self.process.returncode == 0, printed[-3000:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
