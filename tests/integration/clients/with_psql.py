"""psql: a process for each connection."""

import os
import re
import subprocess

from lines import TIMEOUT_S, libpq_lacks, libpq_target, serve


def psql(*arguments, password=None):
    environment = {**os.environ, "PGPASSWORD": password} if password else None
    return subprocess.run(["psql", "-X", "-w", *arguments], env=environment, text=True, check=False,
                          capture_output=True, timeout=2 * TIMEOUT_S)


def connect(wish):
    target = libpq_target(wish)
    password = target.pop("password", None)
    words = " ".join(f"{key}='{value}'" for key, value in target.items())
    done = psql("-At", "-d", words, "-c", wish["sql"], "-c", "\\conninfo", password=password)
    if done.returncode != 0:
        return {"refused": done.stderr.strip()}
    found, conninfo = done.stdout.split("\n", 1)
    return {"found": found, "tls": "SSL connection (protocol: TLS" in conninfo}


VERSION = re.search(r"[\d.]+", psql("--version").stdout)[0]
serve(connect, VERSION, libpq_lacks(int(VERSION.split(".", maxsplit=1)[0])))
