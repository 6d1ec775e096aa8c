"""What stands between the tests and PostgreSQL: weir; or, to check the tests themselves,
PgBouncer (`WEIR_TARGET=pgbouncer`) or nothing at all (`WEIR_TARGET=direct`)."""

import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request

import yaml

from .postgres_server import PASSWORD
from .waiting import accepts, eventually, free_port
from .wire import Wire

TARGET = os.environ.get("WEIR_TARGET", "weir")
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
STOP_WITHIN_S = 20
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:|"
                       r"Assertion .* failed|terminate called")


def weir_binary():
    named = os.environ.get("WEIR_BIN")
    if named:
        return pathlib.Path(named)
    candidates = [REPOSITORY / "build/weir", *sorted(REPOSITORY.glob("build/*/weir"))]
    return next((path for path in candidates if path.is_file()), candidates[0])


class Pooler:
    """Common half: clients, the log, the process."""

    host = "127.0.0.1"

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-test-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self.clients = []
        self.process = None
        self.log_path = self.directory / "log"

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def pid(self):
        return self.process.pid

    def client(self, user="app", database="app", password=PASSWORD, **options):
        one = Wire(self.address, user, database, password, **options)
        self.clients.append(one)
        return one

    def raw(self, **options):
        """A connection that has not sent its startup packet."""
        return self.client(login=False, **options)

    def spawn(self, command, ready, account=None, open_files_max=None, environment=None):
        def limit():
            if open_files_max:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files_max, open_files_max))

        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory,
                                            user=account, preexec_fn=limit, env=environment)
        try:
            eventually(lambda: self._started(ready), within_s=20, what="accepting clients")
        except AssertionError:
            self.process.kill()
            self.process.wait()
            self.remove()
            raise

    def _started(self, ready):
        assert self.process.poll() is None, f"it ended at start:\n{self.log()}"
        return ready()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_for_log(self, text):
        """It is written by a thread of its own."""
        eventually(lambda: text in self.log(), what=f"{text!r} in the log")

    def close_clients(self):
        for one in self.clients:
            one.close()

    def memory_kib(self, field="VmRSS"):
        """VmRSS now, VmHWM at its highest since `forget_memory_peak`."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", status).group(1))

    def forget_memory_peak(self):
        pathlib.Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Weir(Pooler):
    def __init__(self, config, listener=None, http=True, open_files_max=None,
                 environment=None):
        super().__init__()
        self.has_ended = False
        self.http_port = free_port() if http else None
        self.config_path = self.directory / "weir.yaml"
        self.config = self._complete(config, listener or {})
        self.write_config()
        command = [str(weir_binary()), "run", "-c", str(self.config_path)]
        self.spawn(command, lambda: accepts(self.address), open_files_max=open_files_max,
                   environment=environment)
        self.measurable = b"__asan_init" not in weir_binary().read_bytes()

    def _complete(self, config, listener):
        place = {"protocol": "postgres", "address": f"{self.host}:{self.port}", **listener}
        (self.directory / "admin").mkdir(mode=0o700)
        socket_path = self.directory / "admin" / f".s.PGSQL.{self.port}"
        full = {"listeners": [place], "admin": {"socket": f"unix:{socket_path}"}}
        if self.http_port:
            full["http"] = {"address": f"{self.host}:{self.http_port}"}
        return merge(full, config)

    def write_config(self):
        self.config_path.write_text(yaml.safe_dump(self.config, sort_keys=False))

    def http(self, path):
        """(status, text) of a page."""
        url = f"http://{self.host}:{self.http_port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def metrics(self):
        status, page = self.http("/metrics")
        assert status == 200, page
        return Metrics(page)

    def reload(self):
        """Writes the configuration anew, sends HUP and waits until the reload is counted."""
        before = self.metrics().sum("weir_config_reloads_total")
        self.write_config()
        self.process.send_signal(signal.SIGHUP)
        eventually(lambda: self.metrics().sum("weir_config_reloads_total") > before,
                   what="the reload")

    def wait_for_end(self):
        """For tests that have told it to end themselves."""
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("weir did not end when told to") from None
        assert self.process.returncode == 0, f"exit code {self.process.returncode}"
        self.has_ended = True

    def stop(self):
        """Ends it as an operator would and checks that it had lived and leaves in peace."""
        self.close_clients()
        try:
            if not self.has_ended:
                assert self.process.poll() is None, f"weir has died: {self.process.returncode}"
                self.process.send_signal(signal.SIGTERM)
                self.wait_for_end()
            assert not SANITIZER.search(self.log()), "a sanitizer or an assertion has spoken"
        finally:
            print("--- weir log ---\n" + self.log()[-20000:])
            self.remove()


class Demo(Weir):
    """`weir run --demo`, with its data in a directory that outlives it: `data`. Not as root, whose
    console would be the machine's."""

    def __init__(self, data):
        Pooler.__init__(self)
        self.has_ended = False
        self.http_port = free_port()
        account = "nobody" if os.geteuid() == 0 else None
        if account:
            shutil.chown(data, account)
        command = ["env", f"XDG_DATA_HOME={data}", f"XDG_RUNTIME_DIR={data}", str(weir_binary()),
                   "run", "--demo", "--listen", f"postgres:{self.host}:{self.port}",
                   "--http", f"{self.host}:{self.http_port}"]
        self.spawn(command, lambda: accepts(self.address), account)


class PgBouncer(Pooler):
    """Stands in for weir; understands the part of the configuration that it can do."""

    measurable = True

    def __init__(self, config, **_):
        super().__init__()
        account = "postgres" if os.geteuid() == 0 else None
        (self.directory / "users").write_text("".join(
            f'"{name}" "{entry.get("password", "")}"\n'
            for name, entry in config["users"].items()))
        (self.directory / "ini").write_text(self._ini(config))
        self.spawn(["pgbouncer", "-q", str(self.directory / "ini")],
                   lambda: accepts(self.address), account)

    def _ini(self, config):
        pool = config.get("defaults", {}).get("pool", {})
        lines = ["[databases]"]
        for name, entry in config["databases"].items():
            host, port, dbname = re.match(r"postgres://(.*):(\d+)/(.*)", entry["url"]).groups()
            lines.append(f"{name} = host={host} port={port} dbname={dbname}")
        lines += ["[pgbouncer]", f"listen_addr={self.host}", f"listen_port={self.port}",
                  "unix_socket_dir=", f"auth_type={config['auth']['method']}",
                  f"auth_file={self.directory}/users", "max_client_conn=10000",
                  f"pool_mode={pool.get('mode', 'transaction')}",
                  f"default_pool_size={pool.get('size', 20)}",
                  f"query_wait_timeout={seconds(pool.get('acquire_timeout', '30s'))}",
                  f"max_db_connections={pool.get('max_server_connections', 0)}",
                  "server_login_retry=1"]
        return "\n".join(lines) + "\n"

    def stop(self):
        self.close_clients()
        assert self.process.poll() is None, "pgbouncer has died:\n" + self.log()
        self.process.kill()
        self.process.wait()
        self.remove()


class Direct(Pooler):
    """No pooler: the server itself."""

    measurable = False

    def __init__(self, config, **_):
        super().__init__()
        url = next(iter(config["databases"].values()))["url"]
        self.port = int(re.search(r":(\d+)/", url).group(1))

    def stop(self):
        self.close_clients()
        self.remove()


def start_target(config, **options):
    return {"weir": Weir, "pgbouncer": PgBouncer, "direct": Direct}[TARGET](config, **options)


class Metrics:
    """One scrape of /metrics."""

    LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)")
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, page):
        self.samples = []
        for line in page.splitlines():
            found = self.LINE.match(line)
            if found and not line.startswith("#"):
                name, labels, value = found.groups()
                self.samples.append((name, dict(self.LABEL.findall(labels or "")), float(value)))

    def sum(self, name, **labels):
        return sum(value for found, having, value in self.samples
                   if found == name and labels.items() <= having.items())

    def counters(self):
        """Everything that may only grow."""
        return {(name, tuple(sorted(labels.items()))): value
                for name, labels, value in self.samples
                if name.endswith(("_total", "_count", "_bucket", "_sum"))}


def merge(base, more):
    """Deep merge of dictionaries; `more` wins."""
    merged = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def seconds(duration):
    """'250ms', '2s', 0 → seconds as a number."""
    number, unit = re.match(r"([\d.]+)(\w*)", str(duration)).groups()
    return float(number) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}[unit]
