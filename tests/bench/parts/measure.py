"""What a process has used: CPU time, system calls, resident memory."""

import functools
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass

_TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


@dataclass
class Cpu:
    """CPU time of all threads. `total_ns` is exact; user and system come from the kernel's ticks (10 ms)
    and only say how to split it."""

    total_ns: int
    user_ns: int
    system_ns: int

    def __sub__(self, other):
        return Cpu(self.total_ns - other.total_ns, self.user_ns - other.user_ns,
                   self.system_ns - other.system_ns)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    user, system = int(fields[11]) * _TICK_NS, int(fields[12]) * _TICK_NS
    return Cpu(_scheduled_ns(pid) or user + system, user, system)


def _scheduled_ns(pid):
    """Nanoseconds on a CPU, summed over the threads; 0 if this kernel does not say."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/schedstat") as file:
                total += int(file.read().split()[0])
    except FileNotFoundError:
        return 0
    return total


def resident_bytes(pid):
    """From smaps_rollup, as the figure in /proc/<pid>/status is only approximate on several CPUs."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            return int(re.search(r"^Rss:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024
    except PermissionError:
        with open(f"/proc/{pid}/status") as file:
            return int(re.search(r"^VmRSS:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024


@functools.lru_cache
def system_call_tool():
    """'perf', 'strace' or '' - whichever may watch other processes here."""
    probe = ["perf", "stat", "-e", "raw_syscalls:sys_enter", "--", "true"]
    if shutil.which("perf") and subprocess.run(probe, capture_output=True).returncode == 0:
        return "perf"
    return "strace" if shutil.which("strace") else ""


class SystemCalls:
    """Counts the system calls of a process while the block runs: `with SystemCalls(pid, file) as calls`."""

    def __init__(self, pid, output):
        self.pid = pid
        self.output = output
        self.tool = system_call_tool()
        self.count = 0

    def __enter__(self):
        if self.tool == "perf":
            command = ["perf", "stat", "-x", ",", "-e", "raw_syscalls:sys_enter"]
        else:
            command = ["strace", "-q", "-c", "-f"]
        command += ["-p", str(self.pid), "-o", self.output]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        time.sleep(0.4)  # until it is attached
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        with open(self.output) as file:
            self.count = self._parse(file.read())

    def _parse(self, text):
        if self.tool == "perf":
            found = re.search(r"^(\d+),", text, re.M)
            return int(found.group(1)) if found else 0
        for line in text.splitlines():
            fields = line.split()
            if fields and fields[-1] == "total":
                return int(fields[3])
        return 0
