"""psycopg 3."""

import psycopg

from lines import libpq_lacks, libpq_target, serve


def connect(wish):
    with psycopg.connect(**libpq_target(wish), autocommit=True) as link:
        return {"found": link.execute(wish["sql"]).fetchone()[0], "tls": link.pgconn.ssl_in_use}


LIBPQ = psycopg.pq.version()
serve(connect, f"{psycopg.__version__} with libpq {LIBPQ // 10000}.{LIBPQ % 10000}",
      libpq_lacks(LIBPQ // 10000))
