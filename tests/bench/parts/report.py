"""The markdown report."""

import datetime
import os
import platform
import re
import subprocess
from statistics import median

from . import storm
from .rounds import Ratio
from .services import HERE, POOL_SIZE, POSTGRES_BIN

PAIRS = (("weir", "pgbouncer"), ("weir", "haproxy"), ("pgbouncer", "haproxy"))


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---|" + "---:|" * (len(heads) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)


def number(value, digits=1, scale=1.0):
    return "–" if value is None else f"{value * scale:.{digits}f}"


def head(command, load, stack_versions):
    """`load` is the machine's load average from before the measurement."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    lines = ["# Measured: weir and other proxies", "",
             f"- command: `{command}`", f"- date: {now}, load average before: {load:.2f}",
             f"- kernel: {platform.release()}, {os.cpu_count()} CPUs ({_cpu_model()})",
             f"- versions: {', '.join(stack_versions)}", f"- commit: {_commit()}", ""]
    return "\n".join(lines)


def method(rounds, seconds):
    return "\n".join([
        f"Each round runs every target once for one cell, in rotated order, {seconds} s each; {rounds} rounds. "
        "A figure is the median of its rounds, a ratio the median of the ratios of the same rounds "
        "(least to most in brackets). CPU is that of the proxy alone, all threads, without logins "
        "(the same clients with one transaction each are subtracted) except in the connect cell. "
        "Its total is exact; user and system are split by the kernel's 10 ms ticks. System calls come from a "
        "separate run. Latency does not contain connecting. COPY: one client, rows' bytes count, "
        "1 MB = 10^6, 1 GB = 10^9 bytes.", "",
        f"Pools: {POOL_SIZE} servers in transaction mode. \"pgbouncer (session)\": this version keeps no prepared "
        "statements in transaction mode, so it runs in session mode with a server for each client. "
        "haproxy forwards TCP, with a server for each client; it cannot answer PostgreSQL's request for TLS and is "
        "left out there. \"TLS client\": from the client to the proxy; \"TLS both\": to the server as well. Without a "
        "proxy both are the same.", ""])


def section(title, cells, targets, results):
    parts = [f"## {title}", ""]
    queries = [cell for cell in cells if not cell.copy]
    copies = [cell for cell in cells if cell.copy]
    if queries:
        parts += [_query_table(queries, targets, results), ""]
    if copies:
        parts += [_copy_table(copies, targets, results), ""]
    ratios = _ratio_table(cells, targets, results)
    if ratios:
        parts += ["Ratios (CPU: below 1 is better for the first; rate: above 1 is)", "", ratios, ""]
    parts += bullets("Failures", results.failures) + bullets("Notes", results.notes)
    return "\n".join(parts)


def bullets(title, texts):
    return [f"{title}:", ""] + [f"- {text}" for text in texts] + [""] if texts else []


def _label(cell, target):
    return "pgbouncer (session)" if target == "pgbouncer" and cell.needs_session else target


def _query_table(cells, targets, results):
    rows = []
    for cell in cells:
        for target in filter(cell.suits, targets):
            get = lambda field: results.value(cell.name, target, field)
            title = cell.title
            if get("connect") is not None:
                title += f" (connecting {number(get('connect'), 2, 1e-3)} ms)"
            rows.append([title, _label(cell, target), number(get("rate"), 0), number(get("p50"), 2, 1e-3),
                         number(get("p99"), 2, 1e-3), number(get("cpu"), 2), number(get("user"), 2),
                         number(get("system"), 2), number(results.calls.get((cell.name, target)), 2)])
    return table(["cell", "target", "tx/s", "p50 ms", "p99 ms", "CPU µs/tx", "user", "system", "calls/tx"], rows)


def _copy_table(cells, targets, results):
    rows = []
    for cell in cells:
        for target in targets:
            get = lambda field: results.value(cell.name, target, field)
            rows.append([cell.title, target, number(get("rate"), 0), number(get("cpu"), 0),
                         number(get("user"), 0), number(get("system"), 0),
                         number(results.calls.get((cell.name, target)), 1)])
    return table(["cell", "target", "MB/s", "CPU ms/GB", "user", "system", "calls/MB"], rows)


def _ratio_table(cells, targets, results):
    pairs = [pair for pair in PAIRS if pair[0] in targets and pair[1] in targets]
    rows = []
    for cell in cells:
        row = [cell.title]
        for target, rival in pairs:
            row += [_ratio(results.ratio(cell.name, target, rival, field)) for field in ("cpu", "rate")]
        rows.append(row)
    heads = [f"{target}/{rival} {what}" for target, rival in pairs for what in ("CPU", "rate")]
    return table(["cell"] + heads, rows) if pairs else ""


def _ratio(ratio):
    return "–" if ratio is None else f"{ratio.median:.2f} ({ratio.least:.2f}–{ratio.most:.2f})"


def memory_section(memory, failures, idle_seconds):
    rows = [[target, str(m.clients), number(m.before, 0, 1 / 1024), number(m.after, 0, 1 / 1024),
             number(m.kb_per_client, 2), number(m.login_seconds, 1)] for target, m in memory.items()]
    return "\n".join([
        "## Memory of idle clients", "",
        "Each client logs in with scram-sha-256, runs one SELECT 1 and stays. Resident memory before and "
        f"{idle_seconds} s after, 1 KB = 1024 bytes; memory in the kernel is not contained.", "",
        table(["target", "clients", "before KB", "after KB", "KB per client", "logins took s"], rows), ""]
        + bullets("Failures", failures))


def storm_section(results, targets, clients, rounds):
    rows, ratios = [], []
    for variant in storm.VARIANTS:
        for target in targets:
            times = [one.seconds for one in results.storms[variant.name, target].values()]
            get = lambda field: results.value(variant.name, target, field)
            spread = f" ({min(times):.3f}–{max(times):.3f})" if times else ""
            rows.append([variant.title, target, number(get("seconds"), 3) + spread, number(get("half"), 3),
                         number(get("proxy_cpu"), 3), number(get("client_cpu"), 3), number(get("servers"), 0),
                         number(get("turn"), 1, 1000)])
        ratios.append([variant.title] + [_spread(results.ratios(variant.name, field))
                                         for field in ("seconds", "half", "proxy_cpu")])
    return "\n".join([
        "## Clients that arrive at once", "",
        f"{clients} clients connect at once to a proxy that has just been started, log in with scram-sha-256, run one "
        f"SELECT 1 and stay; at most {POOL_SIZE} servers, which ask for SCRAM too. Time from the first connect to the "
        f"last answer (least to most in brackets) and to half of the answers; {rounds} rounds, in turn. The clients "
        "are one process; with plain passwords each has to derive its keys anew. "
        "Turns of weir's loops are known by powers of two.", "",
        table(["clients", "target", "all s", "half s", "CPU s", "the clients' CPU s", "servers opened", "longest turn of a loop, ms"], rows), "",
        table(["weir/pgbouncer", "all", "half", "CPU"], ratios), ""] + bullets("Failures", results.failures))


def _spread(ratios):
    return _ratio(Ratio(median(ratios), min(ratios), max(ratios)) if ratios else None)


def goals_section(lines):
    return "\n".join(["## Goals", "", table(["goal", "measured", "limit", "verdict"], [list(l) for l in lines]), ""])


def versions(weir_binary):
    commands = {"PostgreSQL": [str(POSTGRES_BIN / "postgres"), "--version"],
                "pgbouncer": ["/usr/sbin/pgbouncer", "--version"], "haproxy": ["/usr/sbin/haproxy", "-v"],
                "pgbench": ["pgbench", "--version"]}
    if weir_binary:
        commands["weir"] = [str(weir_binary), "--version"]
    return [f"{name} {_version(command)}" for name, command in commands.items()]


def _version(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        found = re.search(r"\d+\.\d+\S*", done.stdout + done.stderr)
        return found.group(0).rstrip(",)") if found else "?"
    except (OSError, subprocess.TimeoutExpired):
        return "?"


def _commit():
    def git(*words):
        return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True).stdout.strip()
    changed = " with changes" if git("status", "--porcelain", "--untracked-files=no") else ""
    return (git("rev-parse", "--short", "HEAD") or "none") + changed


def _cpu_model():
    with open("/proc/cpuinfo") as file:
        found = re.search(r"^model name\s*: (.*)$", file.read(), re.M)
    return found.group(1) if found else platform.machine()
