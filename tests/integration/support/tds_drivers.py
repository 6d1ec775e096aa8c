"""SQL Server's drivers as programs (tds_clients, node_tedious), and FreeTDS' tools, against
whatever listens at a target: the stand-in of the tests, or weir before it.

A target: {host, port, user, password, database, app, encryption: off, login, all or strict, ca}.
Each driver does its steps and says what came of them; EXPECTED is what comes when all is well."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from .node import NodePackages

LONG = os.environ.get("WEIR_TEST_LONG") == "1"
FOLDER = pathlib.Path(__file__).resolve().parents[1] / "tds_clients"
JTDS = "/usr/share/java/jtds.jar"
WAIT_S_MAX = 60
FREETDS = {"off": "off", "login": "request", "all": "require"}  # its names of the ways to encrypt
EXPECTED = {
    "literals": [1, "héllo", None], "parameters": [6, "zwei"], "two_results": [1, 2],
    "transaction": [1, 0, 1], "prepare": [2, 4], "procedure": 8, "error": [8134, 5],
    "large": [100000, 70000], "attention": 6,
}
OF_JTDS = {"procedure": [7, 8], "cursor": [1, 3, 2, 1], "batch": 100}
OF_TEDIOUS = {"bulk": [1000, 500, 499500], "attention": ["ECANCEL", 6],
              "reset": [208, 7, "app"]}


class Missing(Exception):
    """What a driver needs is not on this machine."""


def done_by(driver, *arguments):
    """What it says; it is left out where it is missing, but never from a long run."""
    try:
        return driver(*arguments)
    except Missing as why:
        if LONG:
            raise
        pytest.skip(str(why))


def target_of(server, app, encryption="off", **more):
    return {"host": "127.0.0.1", "port": server.port, "user": "app", "password": "secret",
            "database": "app", "app": app, "encryption": encryption, **more}


def run(command, directory, text="", **environment):
    """What it prints."""
    done = subprocess.run([*map(str, command)], input=text, capture_output=True, text=True,
                          timeout=WAIT_S_MAX, cwd=directory, check=False,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **environment})
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n" \
                                 f"{done.stdout[-1500:]}{done.stderr[-3000:]}"
    return done.stdout


def expected(target, names, more=()):
    """EXPECTED of some steps, and who the driver is."""
    found = {name: EXPECTED[name] for name in names if name in EXPECTED} | dict(more)
    return found | {"who": [target["app"], target["database"], target["user"]]}


# ---------------------------------------------------------------- FreeTDS


def freetds(target, directory, version="7.4"):
    """A configuration that FREETDSCONF names, with the target as `there`."""
    path = pathlib.Path(directory) / "freetds.conf"
    path.write_text(f"[global]\nencryption = {FREETDS[target['encryption']]}\n"
                    f"[there]\nhost = {target['host']}\nport = {target['port']}\n"
                    f"tds version = {version}\n")
    return {"FREETDSCONF": str(path)}


def tool(name):
    if not shutil.which(name):
        raise Missing(f"no {name} (freetds-bin)")
    return name


def account(target):
    return ["-S", "there", "-U", target["user"], "-P", target["password"]]


def tsql(target, directory, sql, version="7.4"):
    """Rows as lists of texts."""
    printed = run([tool("tsql"), *account(target), "-D", target["database"], "-o", "hfq"],
                  directory, f"{sql}\ngo\nexit\n", **freetds(target, directory, version))
    return [line.split("\t") for line in printed.splitlines() if line.strip()]


def bsqldb(target, directory, sql):
    printed = run([tool("bsqldb"), *account(target), "-D", target["database"], "-t", "|", "-q"],
                  directory, f"{sql}\ngo\n", **freetds(target, directory))
    return [line.split("|") for line in printed.splitlines() if line.strip()]


def freebcp(target, directory, table, rows):
    """The rows after they have gone in, and out again through another connection."""
    going, coming = pathlib.Path(directory) / "in.txt", pathlib.Path(directory) / "out.txt"
    going.write_text("".join("\t".join(row) + "\n" for row in rows))
    environment = freetds(target, directory)
    for direction, path in (("in", going), ("out", coming)):
        run([tool("freebcp"), f"{target['database']}..{table}", direction, path, "-c",
             *account(target)], directory, **environment)
    return [line.split("\t") for line in coming.read_text().splitlines()]


def pymssql(target, directory):
    if not importlib.util.find_spec("pymssql"):
        raise Missing("no python3-pymssql")
    printed = run([sys.executable, FOLDER / "with_pymssql.py", json.dumps(target)], directory,
                  **freetds(target, directory))
    names = ["literals", "parameters", "two_results", "transaction", "procedure", "error", "large",
             "attention"]
    return json.loads(printed), expected(target, names)


# ---------------------------------------------------------------- the others


def jtds(target, directory):
    """Not with encryption "login": going back to clear text it closes its own socket, under Java 17
    at least."""
    if not os.path.exists(JTDS):
        raise Missing("no libjtds-java")
    if not importlib.util.find_spec("jpype"):
        raise Missing("no python3-jpype")
    printed = run([sys.executable, FOLDER / "with_jtds.py", json.dumps(target)], directory)
    return json.loads(printed), expected(target, EXPECTED, OF_JTDS)


class Tedious:
    """Its packages are installed once."""

    def __init__(self):
        self.packages = None

    def __call__(self, target, _directory=None):
        if self.packages is None:
            self.packages = self._install()
        if isinstance(self.packages, str):
            raise Missing(self.packages)
        environment = {"NODE_EXTRA_CA_CERTS": target["ca"]} if target.get("ca") else {}
        printed = run(["node", "with_tedious.js"], self.packages.directory, json.dumps(target),
                      **environment)
        return json.loads(printed), expected(target, EXPECTED, OF_TEDIOUS)

    @staticmethod
    def _install():
        if not shutil.which("npm"):
            return "no npm"
        try:
            return NodePackages("node_tedious")
        except (AssertionError, subprocess.TimeoutExpired) as problem:
            return f"npm cannot install tedious: {str(problem)[-200:]}"

    def remove(self):
        if isinstance(self.packages, NodePackages):
            self.packages.remove()


@pytest.fixture(scope="module")
def tedious():
    one = Tedious()
    yield one
    one.remove()
