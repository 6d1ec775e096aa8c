"""What the clients of the matrix have in common: the first line that each writes says what it is
and what it lacks, then each line that it reads is a wish and each line that it writes the answer.

A wish: {host, port, user, password, database, mode, ca, cert, key, der_key, direct, bound, sql};
host is a directory for a unix socket, der_key the same key for Java; null is not given. An answer:
{found: the value that the SQL gave, tls: whether over TLS} or {refused: what the client says}."""

import json
import sys

# What all of them call the same.
LIBPQ = {"host": "host", "port": "port", "user": "user", "password": "password", "mode": "sslmode",
         "database": "dbname", "ca": "sslrootcert", "cert": "sslcert", "key": "sslkey"}
TIMEOUT_S = 20


def libpq_target(wish):
    """The wish in libpq's words."""
    target = {theirs: wish[ours] for ours, theirs in LIBPQ.items() if wish[ours] is not None}
    target |= {"connect_timeout": TIMEOUT_S}
    target |= {"channel_binding": "require"} if wish["bound"] else {}
    return target | ({"sslnegotiation": "direct"} if wish["direct"] else {})


def libpq_lacks(version):
    return [] if version >= 17 else ["direct"]


def serve(connect, version, lacks=()):
    """`connect(wish)` gives the answer or raises."""
    print(json.dumps({"version": version, "lacks": list(lacks)}), flush=True)
    for line in sys.stdin:
        try:
            answer = connect(json.loads(line))
        except Exception as refused:  # whatever a client has for this: its text is what is judged
            answer = {"refused": f"{type(refused).__name__}: {refused}"}
        print(json.dumps(answer), flush=True)
