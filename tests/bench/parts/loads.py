"""One run of one cell through one target: pgbench or the copy client, and what the proxy used meanwhile."""

import contextlib
import os
import re
import subprocess
import time
from dataclasses import dataclass

from . import measure

SETTLE_SECONDS = 0.1    # until the proxy and the server have seen the clients leave
WARM_TRANSACTIONS = 50
LOG_SAMPLING = 0.1      # part of the transactions whose latency pgbench writes down


class LoadError(Exception):
    pass


@dataclass
class Sample:
    """What one run gave. CPU and system calls are for each unit: a transaction, or 10^9 bytes of COPY rows
    (CPU) and 10^6 bytes (calls). Times in µs, except CPU of COPY: ms."""

    rate: float = 0.0            # transactions/s, or 10^6 bytes/s
    p50: float | None = None
    p99: float | None = None
    connect: float | None = None
    cpu: float | None = None
    user: float | None = None
    system: float | None = None


@dataclass
class Work:
    """The raw outcome of a client: units done, and the proxy's CPU between before and after."""

    units: float
    rate: float
    cpu: measure.Cpu | None
    connect: float | None = None


class Runner:
    """Runs cells through the targets of one stack."""

    def __init__(self, stack, seconds, threads):
        self.stack = stack
        self.seconds = seconds
        self.threads = threads
        self.directory = stack.directory

    def warm(self, cell, target):
        if not cell.copy:
            self._pgbench(cell, target, ["-t", str(WARM_TRANSACTIONS)])

    def run(self, cell, target):
        return self._copy_sample(cell, target) if cell.copy else self._pgbench_sample(cell, target)

    def system_calls(self, cell, target):
        """System calls for each transaction, or for each 10^6 bytes of COPY; None if it cannot be known."""
        if self._pid(target) is None or not measure.system_call_tool():
            return None
        seconds = min(self.seconds, 1)
        if cell.copy:
            calls, work = self._counted(target, lambda: self._copy(cell, target, seconds))
            return calls / (work.units / 1e6)
        calls, work = self._counted(target, lambda: self._pgbench(cell, target, ["-T", str(seconds)]))
        if cell.connect:
            return calls / work.units
        login_calls, login = self._counted(target, lambda: self._pgbench(cell, target, ["-t", "1"]))
        return (calls - login_calls) / (work.units - login.units)

    def _counted(self, target, action):
        output = str(self.directory / "system-calls")
        with measure.SystemCalls(self._pid(target), output) as calls:
            work = action()
        return calls.count, work

    def _pid(self, target):
        return None if target == "direct" else self.stack.proxies[target].pid

    def _cpu(self, target):
        pid = self._pid(target)
        return None if pid is None else measure.cpu_of(pid)

    def _database(self, cell, target):
        return "bench_session" if target == "pgbouncer" and cell.needs_session else "bench"

    def _pgbench_sample(self, cell, target):
        """The same clients with one transaction each are subtracted, so that logins do not count."""
        login = None if cell.connect else self._pgbench(cell, target, ["-t", "1"])
        prefix = self.directory / "latency"
        log = ["--log", f"--log-prefix={prefix}", f"--sampling-rate={LOG_SAMPLING}"]
        work = self._pgbench(cell, target, ["-T", str(self.seconds)] + log)
        sample = Sample(rate=work.rate, connect=work.connect)
        sample.p50, sample.p99 = self._latencies()
        if work.cpu:
            cpu, units = work.cpu, work.units
            if login:
                cpu, units = cpu - login.cpu, units - login.units
            _set_cpu(sample, cpu, units * 1e3)
        return sample

    def _pgbench(self, cell, target, extra):
        command = ["pgbench", "-n", "-S", "-M", cell.mode, "-c", str(cell.clients),
                   "-j", str(self._client_threads(cell)), "-h", "127.0.0.1",
                   "-p", str(self.stack.port(target)), "-U", "bench"]
        command += (["-C"] if cell.connect else []) + extra + [self._database(cell, target)]
        before = self._cpu(target)
        with self._client(command, "require" if cell.tls else "disable") as process:
            output, _ = _talk(process, self.seconds + 60)
        time.sleep(SETTLE_SECONDS)
        return self._work(output, before, target)

    def _client_threads(self, cell):
        """With -C a thread connects for one client after the other, so each client gets its own."""
        return cell.clients if cell.connect else min(self.threads, cell.clients)

    def _work(self, output, before, target):
        done = re.search(r"actually processed: (\d+)", output)
        rate = re.search(r"^tps = ([\d.]+)", output, re.M)
        failed = re.search(r"failed transactions: (\d+)", output)
        if not done or not rate or int(done.group(1)) == 0 or (failed and int(failed.group(1))):
            raise LoadError("pgbench: " + output.strip()[-300:])
        connect = re.search(r"average connection time = ([\d.]+) ms", output)
        cpu = None if before is None else self._cpu(target) - before
        return Work(float(done.group(1)), float(rate.group(1)), cpu,
                    float(connect.group(1)) * 1e3 if connect else None)

    def _latencies(self):
        values = []
        for path in self.directory.glob("latency.*"):
            values += [int(line.split()[2]) for line in path.read_text().splitlines()]
            path.unlink()
        if not values:
            return None, None
        values.sort()
        return values[len(values) // 2], values[min(len(values) - 1, len(values) * 99 // 100)]

    def _copy_sample(self, cell, target):
        work = self._copy(cell, target, self.seconds)
        sample = Sample(rate=work.rate)
        if work.cpu:
            _set_cpu(sample, work.cpu, work.units / 1e9 * 1e6)
        return sample

    def _copy(self, cell, target, seconds):
        command = [str(self.stack.workshop.copy_client), str(self.stack.port(target)), "bench", cell.copy,
                   str(seconds), cell.copy_statement, str(cell.row_bytes)]
        with self._client(command) as process:
            if process.stdout.readline().strip() != "ready":
                raise LoadError(process.stdout.read().strip() or "the copy client did not start")
            time.sleep(SETTLE_SECONDS)
            before = self._cpu(target)
            output, _ = _talk(process, seconds + 60, "go\n")
        time.sleep(SETTLE_SECONDS)
        done, elapsed = (float(word) for word in output.split()[:2])
        cpu = None if before is None else self._cpu(target) - before
        return Work(done, done / elapsed / 1e6, cpu)

    @contextlib.contextmanager
    def _client(self, command, ssl_mode="disable"):
        """A client process on the CPUs of the stack; it is gone when the block ends."""
        environment = dict(os.environ, PGSSLMODE=ssl_mode, PGGSSENCMODE="disable", LC_ALL="C.UTF-8",
                           PGSSLROOTCERT=str(self.stack.workshop.certificate))
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL"] + command, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, self.stack.cpus))
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
            process.stdin.close()


def _set_cpu(sample, cpu, divisor):
    """Splits the exact total by the kernel's coarse shares of user and system."""
    ticks = cpu.user_ns + cpu.system_ns
    sample.cpu = cpu.total_ns / divisor
    if ticks > 0:
        sample.user = sample.cpu * cpu.user_ns / ticks
        sample.system = sample.cpu * cpu.system_ns / ticks


def _talk(process, timeout, text=None):
    try:
        output, errors = process.communicate(text, timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise LoadError(f"the client did not end in {timeout} s: {output.strip()[-300:]}") from None
    if process.returncode != 0:
        raise LoadError(f"the client ended with {process.returncode}: {output.strip()[-300:]}")
    return output, errors
