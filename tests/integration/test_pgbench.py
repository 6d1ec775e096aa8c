"""PostgreSQL's own benchmark as a test: many clients on few servers, and not one error."""

import re
import subprocess

import pytest

from harness import LONG, TARGET, pooled
from support.postgres_server import BIN

pytestmark = pooled

CLIENTS, SIZE = 64, 10
AMOUNT = ["-T", "60"] if LONG else ["-t", "30"]


@pytest.fixture
def bench_tables(postgres):
    done = subprocess.run([BIN / "pgbench", "-h", postgres.host, "-p", str(postgres.port),
                           "-U", "few", "-i", "-s", "4", "-q", "app"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return postgres


def run_pgbench(pool, *options):
    """pgbench prepares with blocking calls: a thread that waits there for a server cannot end the
    transactions of its other clients, so in that mode every client has a thread of its own."""
    threads = CLIENTS if "prepared" in options else 2
    command = [BIN / "pgbench", "-h", pool.host, "-p", str(pool.port), "-U", "few", "-n",
               "-c", str(CLIENTS), "-j", str(threads), *options, "app"]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          timeout=300 if LONG else 60)
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "ERROR" not in done.stderr and "abort" not in done.stderr, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
@pytest.mark.parametrize("script", ["tpcb", "select-only"])
def test_pgbench(start_pool, bench_tables, mode, script):
    """The role may have ten connections at most, and gets 64 clients."""
    if (TARGET, mode) == ("pgbouncer", "prepared"):
        pytest.skip("an older PgBouncer passes statement names through")
    pool = start_pool(size=SIZE, config={"workers": 2})
    options = ["-S"] if script == "select-only" else []
    output = run_pgbench(pool, "-M", mode, *AMOUNT, *options)
    processed = int(re.search(r"transactions actually processed: (\d+)", output).group(1))
    assert processed == CLIENTS * 30 or LONG
    assert bench_tables.backend_count("few") <= SIZE
    sums = bench_tables.rows("select (select sum(abalance) from pgbench_accounts), "
                             "(select sum(tbalance) from pgbench_tellers), "
                             "(select sum(bbalance) from pgbench_branches), "
                             "(select coalesce(sum(delta), 0) from pgbench_history)")[0]
    assert len(set(sums)) == 1, sums


@pytest.mark.parametrize("mode", ["simple", "extended"])
def test_pgbench_reconnecting(start_pool, bench_tables, mode):
    """A new connection for every transaction."""
    pool = start_pool(size=SIZE, config={"workers": 2})
    run_pgbench(pool, "-M", mode, "-C", "-S", "-t", "10")
    assert bench_tables.backend_count("few") <= SIZE
