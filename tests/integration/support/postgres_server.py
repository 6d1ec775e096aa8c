"""A real PostgreSQL server in a temporary directory, owned by the test run."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

from .waiting import accepts, eventually, free_port
from .wire import Wire

BIN = pathlib.Path(os.environ.get("PG_BIN", "/usr/lib/postgresql/15/bin"))
PASSWORD = "secret"

SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 100
wal_level = logical
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 128MB
autovacuum = off
log_min_messages = warning
log_line_prefix = '%m [%p] %u %a '
password_encryption = 'scram-sha-256'
"""

# Roles whose name says how they log in; `app` is what most tests use.
HBA = """
local all all trust
host all plain_user 127.0.0.1/32 password
host all md5_user 127.0.0.1/32 md5
host all scram_user 127.0.0.1/32 scram-sha-256
host all +strict 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""

ROLES = f"""
create role app login password '{PASSWORD}';
create role other login password '{PASSWORD}';
create role few login password '{PASSWORD}' connection limit 10;
create role three login password '{PASSWORD}' connection limit 3;
create role boss login superuser password '{PASSWORD}';
create role plain_user login password '{PASSWORD}';
create role scram_user login password '{PASSWORD}';
create role repl login replication password '{PASSWORD}';
create role guest nologin;
create role strict nologin;
grant guest to app;
set password_encryption = 'md5';
create role md5_user login password '{PASSWORD}';
"""

LOGIN_ROLES = ["app", "other", "few", "three", "boss", "plain_user", "md5_user", "scram_user", "repl"]


def _server_account():
    """PostgreSQL refuses to run as root: then it runs as `postgres`."""
    return "postgres" if os.geteuid() == 0 else None


class PostgresServer:
    def __init__(self):
        self.account = _server_account()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-pg-"))
        if self.account:
            entry = pwd.getpwnam(self.account)
            os.chown(self.directory, entry.pw_uid, entry.pw_gid)
        self.directory.chmod(0o755)
        self.host, self.port = "127.0.0.1", free_port()
        self.data = self.directory / "data"
        self.log_path = self.directory / "log"
        self.process = None
        self._initialise()
        self.start()
        self._create_objects()

    @property
    def address(self):
        return (self.host, self.port)

    @property
    def socket_path(self):
        return f"{self.directory}/.s.PGSQL.{self.port}"

    def _run(self, program, *arguments):
        command = [str(BIN / program), *arguments]
        done = subprocess.run(command, user=self.account, cwd=self.directory, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, done.stdout

    def _initialise(self):
        self._run("initdb", "--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                  "--locale=C", "-D", str(self.data))
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(SETTINGS)
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.directory}'\n")
        (self.data / "pg_hba.conf").write_text(HBA)

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [str(BIN / "postgres"), "-D", str(self.data)], user=self.account,
                cwd=self.directory, stdout=log, stderr=log)
        eventually(self.answers, within_s=30, what="PostgreSQL accepting connections")

    def answers(self):
        assert self.process.poll() is None, self.log_path.read_text()[-2000:]
        if not accepts(self.address):
            return False
        try:
            with self.client("postgres", "postgres") as probe:
                return probe.value("select 1") == "1"
        except Exception:  # still starting
            return False

    def stop(self, how=signal.SIGINT):
        """Fast shutdown: every session is ended."""
        self.process.send_signal(how)
        self.process.wait(30)

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _create_objects(self):
        with self.client("postgres", "postgres") as admin:
            for statement in ROLES.strip().splitlines():
                admin.rows(statement)
            admin.rows("create database app owner app")
            admin.rows("create database second owner app")
        for database in ("app", "second"):
            with self.client("postgres", database) as admin:
                admin.rows("grant all on schema public to public")

    # --- for tests --------------------------------------------------------------------------

    def client(self, user="app", database="app", password=PASSWORD, **options):
        """A direct connection, past any pooler."""
        return Wire(self.address, user, database, password, **options)

    def rows(self, sql, database="app"):
        with self.client("postgres", database) as admin:
            return admin.rows(sql)

    def value(self, sql, database="app"):
        return self.rows(sql, database)[0][0]

    def backends(self, user="app"):
        """(pid, state, query) of every session of a role."""
        return self.rows("select pid, state, query from pg_stat_activity "
                         f"where usename = '{user}' and backend_type = 'client backend'")

    def backend_count(self, user="app"):
        return len(self.backends(user))

    def terminate_backends(self, user="app"):
        self.rows("select pg_terminate_backend(pid) from pg_stat_activity "
                  f"where usename = '{user}'")

    def wait_for_no_backends(self):
        names = ",".join(f"'{role}'" for role in LOGIN_ROLES)
        count = f"select count(*) from pg_stat_activity where usename in ({names})"
        eventually(lambda: self.value(count) == "0", what="all sessions of earlier tests gone")


class PostgresStandby(PostgresServer):
    """A hot standby, as `primary` is now: it does not follow, so that no session of its own is
    among those that tests count."""

    def __init__(self, primary):
        self.primary = primary
        super().__init__()

    def _initialise(self):
        self._run("pg_basebackup", "-h", self.primary.host, "-p", str(self.primary.port),
                  "-U", "repl", "-D", str(self.data), "-X", "fetch", "-c", "fast", "--no-sync")
        (self.data / "standby.signal").touch()
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"port = {self.port}\nunix_socket_directories = '{self.directory}'\n")

    def _create_objects(self):
        pass  # they come from the primary
