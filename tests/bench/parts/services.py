"""Starts and ends PostgreSQL and the proxies, each on its own free loopback port in one temporary directory."""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from . import wire

HERE = Path(__file__).resolve().parent.parent
POSTGRES_BIN = Path(os.environ.get("POSTGRES_BIN", "/usr/lib/postgresql/15/bin"))
PASSWORD = "bench-password"
POOL_SIZE = 20
SESSION_POOL_SIZE = 70


class ServiceError(Exception):
    pass


def free_port():
    """Below the range of outgoing connections, so that none of those takes it before the service does."""
    for _ in range(1000):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise ServiceError("no free port")


def unprivileged(death_signal="TERM"):
    """A command prefix: become the postgres user if we are root, and end when the benchmark dies."""
    command = ["setpriv", "--pdeathsig", death_signal]
    if os.geteuid() == 0:
        command += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
    return command


def fill(template, values):
    """Replaces @NAME@ in a file of conf/ (or another one)."""
    text = (HERE / "conf" / template).read_text()
    try:
        return re.sub(r"@([A-Z_]+)@", lambda found: str(values[found.group(1)]), text)
    except KeyError as name:
        raise ServiceError(f"{template}: nothing fills in {name}") from None


def owned_directory(path):
    """A new directory for the user that the services run as."""
    path.mkdir(mode=0o755)
    if os.geteuid() == 0:
        shutil.chown(path, "postgres", "postgres")
    return path


class Service:
    """One process that we started. It is ended by its id."""

    def __init__(self, name, command, directory, port, cpus):
        self.name, self.command, self.directory = name, command, directory
        self.port, self.cpus = port, cpus
        self.log = directory / f"{name}.log"
        self.http_port = None    # of weir's page
        self.stop_signal = signal.SIGTERM
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C.UTF-8",
                       "XDG_RUNTIME_DIR": str(self.directory), "XDG_DATA_HOME": str(self.directory)}
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, self.cpus))

    def wait_ready(self, password="", seconds=20):
        deadline = time.monotonic() + seconds
        problem = "no answer"
        while time.monotonic() < deadline:
            if not self.alive():
                raise ServiceError(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            try:
                client = wire.Client(self.port, password=password, timeout=5)
                client.query("SELECT 1")
                client.close()
                return
            except (OSError, wire.WireError) as error:
                problem = error
                time.sleep(0.05)
        raise ServiceError(f"{self.name} is not ready: {problem}; {self.last_words()}")

    def wait_accepting(self, seconds=20):
        """Without a login: whatever the service makes for the first client is not made yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.alive():
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise ServiceError(f"{self.name} does not accept clients: {self.last_words()}")

    def stop(self):
        if not self.alive():
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def last_words(self):
        return " | ".join(self.log.read_text(errors="replace").splitlines()[-4:])


class Workshop:
    """The temporary directory with what is made once: the database files, the copy client, weir's binary."""

    def __init__(self, directory, weir_binary, weir_config):
        self.directory = Path(directory)
        self.directory.chmod(0o755)
        self.weir_config = weir_config
        self.weir = None
        if weir_binary:  # a copy, so that a build in the meantime does not change what is measured
            self.weir = self.directory / "weir"
            shutil.copy(weir_binary, self.weir)
            self.weir.chmod(0o755)
        self.copy_client = self.directory / "copyclient"
        self.data = owned_directory(self.directory / "data")
        self.certificate = self.directory / "tls.crt"
        self.key = self.directory / "tls.key"

    def prepare(self):
        self._make_certificate()
        compiler = ["nice", "-n", "10", os.environ.get("CC", "cc"), "-std=c11", "-O2", "-D_GNU_SOURCE"]
        subprocess.run(compiler + ["-o", str(self.copy_client), str(HERE / "copyclient.c")], check=True)
        command = [str(POSTGRES_BIN / "initdb"), "-D", str(self.data), "-U", "bench", "-A", "trust",
                   "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(unprivileged() + command, cwd=self.data, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServiceError("initdb: " + done.stderr.strip())

    def _make_certificate(self):
        """One for PostgreSQL and all proxies. It has signed itself, so clients can trust it too."""
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-days", "2", "-subj", "/CN=localhost", "-keyout", str(self.key), "-out", str(self.certificate)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise ServiceError("openssl: " + done.stderr.strip())
        if os.geteuid() == 0:
            shutil.chown(self.key, "postgres", "postgres")
        self.key.chmod(0o600)


class Stack:
    """PostgreSQL and the wanted proxies, running with one CPU affinity. Use as a context manager.
    `tls` as in a cell."""

    pgbouncer_config = "pgbouncer.ini"
    weir_config = None   # that of the call

    def __init__(self, workshop, name, targets, cpus, workers=1, auth="trust", tls=""):
        self.workshop, self.targets, self.cpus, self.tls = workshop, targets, cpus, tls
        self.directory = owned_directory(workshop.directory / name)
        self.weir_config = self.weir_config or workshop.weir_config
        self.workers, self.auth = workers, auth
        self.password = "" if auth == "trust" else PASSWORD
        self.server_port = free_port()
        self.hba = self.directory / "pg_hba.conf"
        self.server = None
        self.proxies = {}
        self.notes = []

    def __enter__(self):
        try:
            self._start_server()
            for name in self.targets:
                if name != "direct":
                    self._start_proxy(name)
                    self._check_tls(name)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for service in list(self.proxies.values()) + [self.server]:
            if service is not None:
                service.stop()

    def port(self, target):
        return self.server_port if target == "direct" else self.proxies[target].port

    def revive(self, target):
        """Starts a proxy again that has died. Returns its last words if it had."""
        service = self.proxies.get(target)
        if service is None or service.alive():
            return ""
        words = service.last_words()
        service.start()
        service.wait_ready(self.password)
        return f"{target} had ended: {words}"

    def _start_server(self):
        configuration = self.directory / "postgresql.conf"
        self.hba.write_text("host all all 127.0.0.1/32 trust\n")
        configuration.write_text(fill("postgresql.conf", self._values(self.server_port)))
        command = unprivileged("INT") + [str(POSTGRES_BIN / "postgres"), "-D", str(self.workshop.data),
                                         "-c", f"config_file={configuration}"]
        self.server = Service("postgres", command, self.directory, self.server_port, self.cpus)
        self.server.stop_signal = signal.SIGINT  # end at once, whoever is connected
        self.server.start()
        self._create_data()
        self.server.wait_ready()

    def _create_data(self):
        client = self._first_client()
        exists = client.query("SELECT 1 FROM pg_database WHERE datname = 'bench'")
        if not exists:
            client.query("CREATE DATABASE bench")
        client.close()
        if exists:
            return
        subprocess.run(["pgbench", "-i", "-q", "-s", "2", "-h", "127.0.0.1", "-p", str(self.server_port),
                        "-U", "bench", "bench"], check=True, capture_output=True)
        client = wire.Client(self.server_port)
        for size, rows in ((100, 200_000), (8000, 2_500)):  # 20 MB each; a row ends with a newline
            client.query(f"CREATE UNLOGGED TABLE rows_{size} (line text);"
                         f"ALTER TABLE rows_{size} ALTER line SET STORAGE PLAIN;"
                         f"INSERT INTO rows_{size} SELECT repeat('x', {size - 1}) FROM generate_series(1, {rows})")
        client.query("CREATE UNLOGGED TABLE sink (line text)")
        client.query("VACUUM ANALYZE")
        client.query("CHECKPOINT")
        client.close()

    def _first_client(self):
        deadline = time.monotonic() + 20
        while True:
            try:
                return wire.Client(self.server_port, database="postgres")
            except (OSError, wire.WireError):
                if time.monotonic() > deadline or not self.server.alive():
                    raise ServiceError("PostgreSQL does not start: " + self.server.last_words()) from None
                time.sleep(0.05)

    def _values(self, port):
        """What the files of conf/ are filled in with."""
        return {"PORT": port, "HTTP_PORT": free_port(), "SERVER_PORT": self.server_port,
                "DIRECTORY": self.directory, "WORKERS": self.workers, "AUTH": self.auth,
                "PASSWORD": self.password, "POOL_SIZE": POOL_SIZE, "SESSION_POOL_SIZE": SESSION_POOL_SIZE,
                "CERTIFICATE": self.workshop.certificate, "KEY": self.workshop.key,
                "SSL": "on" if self.tls else "off", "CLIENT_TLS": "prefer" if self.tls else "disable",
                "SERVER_TLS": "require" if self.tls == "both" else "disable"}

    def add_proxy(self, name):
        """A proxy that is not yet started."""
        port = free_port()
        (self.directory / "userlist.txt").write_text(self._users_file())
        values = self._values(port)
        command = getattr(self, f"_{name}_command")(values)
        self.proxies[name] = Service(name, unprivileged() + command, self.directory, port, self.cpus)
        self.proxies[name].http_port = values["HTTP_PORT"]
        return self.proxies[name]

    def _check_tls(self, name):
        client = wire.Client(self.port(name), password=self.password)
        found = client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        client.close()
        if found != ["t" if self.tls == "both" else "f"]:
            raise ServiceError(f"{name}: TLS to the server is not as configured: {found}")

    def _start_proxy(self, name):
        service = self.add_proxy(name)
        service.start()
        if name == "weir" and self._refuses_options(service):
            self._without_optional_lines(service)
        service.wait_ready(self.password)

    def _weir_command(self, values):
        owned_directory(self.directory / "weir-admin")
        (self.directory / "weir.yaml").write_text(fill(self.weir_config, values))
        return [str(self.workshop.weir), "-c", str(self.directory / "weir.yaml")]

    def _pgbouncer_command(self, values):
        (self.directory / "pgbouncer.ini").write_text(fill(self.pgbouncer_config, values))
        return ["/usr/sbin/pgbouncer", "-q", str(self.directory / "pgbouncer.ini")]

    def _users_file(self):
        secret = wire.scram_verifier(self.password) if self.password else ""
        return f'"bench" "{secret}"\n'

    def _haproxy_command(self, values):
        (self.directory / "haproxy.cfg").write_text(fill("haproxy.cfg", values))
        return ["/usr/sbin/haproxy", "-db", "-f", str(self.directory / "haproxy.cfg")]

    def _refuses_options(self, service):
        """Whether weir ended at once because it does not like its configuration."""
        try:
            return service.process.wait(0.5) == 2
        except subprocess.TimeoutExpired:
            return False

    def _without_optional_lines(self, service):
        path = self.directory / "weir.yaml"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(line for line in lines if not line.rstrip().endswith("# optional")))
        self.notes.append("weir refused its configuration at first and ran without the optional lines of "
                          "conf/weir.yaml: " + service.last_words())
        service.start()
