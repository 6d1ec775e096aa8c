"""The clients of the matrix, each behind `ask(wish) -> answer` (clients/lines.py says what these
are): real ones, each a process that takes one wish after the other, and a scripted one for what
they lack."""

import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

from .wire import Closed, ServerError, Wire

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"
ANSWER_WITHIN_S = 60
MAY_FALL_BACK = "28000"  # who is refused with this tries the other way, if the mode has one

# What is tried one after the other, in each mode.
WAYS = {"disable": ["clear"], "allow": ["clear", "TLS"], "prefer": ["TLS", "clear"],
        "require": ["TLS"], "verify-ca": ["TLS"], "verify-full": ["TLS"]}


class Speaker:
    """A client in a process of its own, without what its user has in files and environment."""

    def __init__(self, command, directory=None):
        self.home = tempfile.mkdtemp(prefix="weir-home-")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        environment |= {"HOME": self.home, "LC_ALL": "C.UTF-8"}
        with open(f"{self.home}/errors", "wb") as errors:
            self.process = subprocess.Popen(command, cwd=directory, env=environment, text=True,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=errors)
        try:
            told = self._read()
        except AssertionError:
            self.stop()
            raise
        self.version, self.lacks = told["version"], set(told["lacks"])

    @classmethod
    def in_python(cls, script):
        return cls([sys.executable, "-B", str(CLIENTS / script)])

    def ask(self, wish):
        self.process.stdin.write(json.dumps(wish) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self):
        patience = threading.Timer(ANSWER_WITHIN_S, self.process.kill)
        patience.start()
        line = self.process.stdout.readline()
        patience.cancel()
        assert line, pathlib.Path(f"{self.home}/errors").read_text(errors="replace")[-1000:]
        return json.loads(line)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.home, ignore_errors=True)


class Scripted:
    """Does by hand what a client of libpq's modes does."""

    def ask(self, wish):
        for way in ["clear"] if wish["host"].startswith("/") else WAYS[wish["mode"]]:
            try:
                return self._talk(wish, self._context(wish) if way == "TLS" else None)
            except ServerError as refused:
                answer = {"refused": str(refused)}
                if refused.sqlstate != MAY_FALL_BACK:
                    break
            except (Closed, OSError) as refused:
                answer = {"refused": str(refused)}
        return answer

    @staticmethod
    def _context(wish):
        context = ssl.create_default_context(cafile=wish["ca"])
        if not wish["mode"].startswith("verify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if wish["cert"]:
            context.load_cert_chain(wish["cert"], wish["key"])
        if wish["direct"]:
            context.set_alpn_protocols(["postgresql"])
        return context

    @staticmethod
    def _talk(wish, context):
        place = (wish["host"], wish["port"])
        if wish["host"].startswith("/"):
            place = f"{wish['host']}/.s.PGSQL.{wish['port']}"
        with Wire(place, wish["user"], wish["database"], wish["password"],
                  tls=context, direct=wish["direct"], bound=wish["bound"]) as wire:
            return {"found": wire.value(wish["sql"]), "tls": context is not None}
