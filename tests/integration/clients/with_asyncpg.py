"""asyncpg. It cannot bind the channel; for TLS from the first byte it is given what names the
protocol."""

import asyncio
import ssl
import urllib.parse

import asyncpg

from lines import TIMEOUT_S, serve

FILES = {"ca": "sslrootcert", "cert": "sslcert", "key": "sslkey"}


def tls(wish):
    if wish["direct"]:
        context = ssl.create_default_context(cafile=wish["ca"])
        context.set_alpn_protocols(["postgresql"])
        if wish["cert"]:
            context.load_cert_chain(wish["cert"], wish["key"])
        return {"ssl": context, "direct_tls": True}
    files = {theirs: wish[ours] for ours, theirs in FILES.items() if wish[ours]}
    return {"dsn": "postgres://?" + urllib.parse.urlencode({"sslmode": wish["mode"], **files})}


async def talk(wish):
    target = {key: wish[key] for key in ("host", "port", "user", "password", "database")}
    link = await asyncpg.connect(**target, **tls(wish), timeout=TIMEOUT_S)
    try:
        encrypted = link._transport.get_extra_info("ssl_object") is not None
        return {"found": await link.fetchval(wish["sql"]), "tls": encrypted}
    finally:
        await link.close()


serve(lambda wish: asyncio.run(talk(wish)), asyncpg.__version__, ["bound"])
