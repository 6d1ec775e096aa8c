"""Section 6: logins that stop half-way, probes, TLS that fails, names that are verified; and
section 8: `min` through the age of its servers."""

import contextlib
import re
import shutil
import ssl
import time

import pytest

from harness import Closed, ServerError, behaviour, eventually, merge, pg, weir_only
from support.certificates import Authority
from test_17_hostile_logins import HASTE, LOGIN, SCRAM, asked, back_to_normal, counted, told

pytestmark = weir_only


# ---------------------------------------------------------------- half a login

ONE_CLIENT = merge(SCRAM, {"max_clients": 1, "defaults": {
    "timeouts": {"client_login": "700ms"}, "pool": {"max_client_connections": 1}}})


def hello(context):
    """What a client says first in TLS."""
    out = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    return out.read()


def sent(pool, *parts, **options):
    client = pool.raw(**options)
    client.send(*parts)
    return client


def after_ssl(pool, *parts):
    client = sent(pool, pg.ssl_request())
    assert client.socket.recv(1) == b"S"
    client.send(*parts)
    return client


def after_sasl(pool, *parts, **options):
    client = asked(pool, **options)
    client.send(*parts)
    return client


def in_sasl(pool):
    first = b"n,,n=,r=abc"
    client = after_sasl(pool, pg.message("p", b"SCRAM-SHA-256\0\0\0\0\x0b" + first))
    assert client.read().body[:4] == b"\0\0\0\x0b"
    return client


# By the pool and the context of a client
HALVES = {
    "nothing": lambda pool, tls: pool.raw(),
    "one byte": lambda pool, tls: sent(pool, b"\0"),
    "half a start-up packet": lambda pool, tls: sent(pool, LOGIN[:-6]),
    "half a request for TLS": lambda pool, tls: sent(pool, pg.ssl_request()[:6]),
    "a request for TLS": lambda pool, tls: after_ssl(pool),
    "half a handshake": lambda pool, tls: after_ssl(pool, hello(tls)[:100]),
    "a handshake and no answer": lambda pool, tls: after_ssl(pool, hello(tls)),
    "half a direct handshake": lambda pool, tls: sent(pool, hello(tls)[:100]),
    "only TLS": lambda pool, tls: pool.raw(tls=tls),
    "TLS and half a packet": lambda pool, tls: sent(pool, LOGIN[:-6], tls=tls),
    "a start-up packet": lambda pool, tls: asked(pool),
    "a start-up packet in TLS": lambda pool, tls: asked(pool, tls=tls),
    "half a SASL message": lambda pool, tls: after_sasl(pool, b"p\0\0\0\x40SCRAM-SHA-256\0"),
    "half a head of SASL": lambda pool, tls: after_sasl(pool, b"p\0\0"),
    "a challenge and no answer": lambda pool, tls: in_sasl(pool),
}
halves = pytest.mark.parametrize("case", list(HALVES))


@behaviour(84)
@halves
def test_half_a_login_ends_in_time(start_secure, authority, case):
    pool = start_secure(size=1, config=ONE_CLIENT)
    began = time.monotonic()
    HALVES[case](pool, authority.client())
    eventually(lambda: pool.metrics().sum("weir_client_logins_total", result="timeout") == 1,
               what="it is dropped")
    assert time.monotonic() - began > 0.6, "before its deadline"
    assert pool.metrics().sum("weir_server_opens_total") == 0
    back_to_normal(pool)


@behaviour(84)
def test_half_a_login_counts_while_it_lasts(start_pool):
    pool = start_pool(size=1, config=merge(ONE_CLIENT, {"defaults": {
        "timeouts": {"client_login": "1m"}}}))
    stranger = asked(pool)
    assert told(pool).sqlstate == "53300"
    stranger.close()
    back_to_normal(pool)


# ---------------------------------------------------------------- probes


def warnings(pool):
    return re.findall(r"^\S+ \S+ [WEC] .*", pool.log(), re.MULTILINE)


@behaviour(85)
@pytest.mark.parametrize("end", ["close", "abort"])
def test_probes(start_secure, end):
    pool = start_secure(size=1, config=SCRAM)
    back_to_normal(pool)
    before, log = pool.metrics(), pool.log()
    for _ in range(50):
        getattr(pool.raw(), end)()
    left = before.sum("weir_client_logins_total", result="left") + 50
    eventually(lambda: pool.metrics().sum("weir_client_logins_total", result="left") == left,
               what="all of them counted")
    eventually(lambda: pool.metrics().sum("process_open_fds") == before.sum("process_open_fds"),
               what="no socket left open")
    assert pool.log() == log
    assert pool.metrics().sum("weir_errors_total") == before.sum("weir_errors_total")
    back_to_normal(pool)


@behaviour(84)
@behaviour(85)
@halves
@pytest.mark.parametrize("end", ["close", "abort"])
def test_half_a_login_that_goes_away(start_secure, authority, case, end):
    pool = start_secure(size=1, config=merge(ONE_CLIENT, {"defaults": {
        "timeouts": {"client_login": "1m"}}}))
    back_to_normal(pool)
    before = pool.metrics().sum("process_open_fds")
    for n in range(1, 6):
        getattr(HALVES[case](pool, authority.client()), end)()
        eventually(lambda: counted(pool)["weir_clients"] == 0, what=f"{n}: it is gone")
    eventually(lambda: pool.metrics().sum("process_open_fds") == before, what="its socket closed")
    assert not warnings(pool)
    back_to_normal(pool)


# ---------------------------------------------------------------- names of servers


def tls_server(start_fake, authority, name, seen=None):
    """It speaks TLS from the first byte, with the certificate of `name`, and records in `seen` how
    it was called."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.cert(name), authority.key(name))
    context.set_alpn_protocols(["postgresql"])
    if seen is not None:
        context.sni_callback = lambda link, name, _: seen.append(name)
    return start_fake(tls=context)


def hosts(authority, *places, **tls):
    url = "postgres://" + ",".join(f"{host}:{fake.port}" for host, fake in places) + "/app"
    return {"databases": {"app": {"url": url, "tls": {
        "ca": authority.ca, "mode": "verify-full", "negotiation": "direct", **tls}}}}


@behaviour(81)
@pytest.mark.parametrize("host,name,sent_name", [
    ("localhost", None, "localhost"), ("127.0.0.1", None, None), ("localhost", "::1", None),
    ("127.0.0.1", "db.test", "db.test"), ("localhost", "127.0.0.1", None)])
@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_name_that_is_sent(start_pool, start_fake, authority, host, name, sent_name, mode):
    seen = []
    authority.sign("everything", alternatives="DNS:localhost,DNS:db.test,IP:127.0.0.1,IP:::1")
    fake = tls_server(start_fake, authority, "everything", seen)
    named = {"server_name": name} if name else {}
    pool = start_pool(size=1, config=hosts(authority, (host, fake), mode=mode, **named))
    assert pool.client().value("select 1") == "fake 0"
    assert seen == [sent_name]


@behaviour(81)
@pytest.mark.parametrize("swapped", [False, True])
def test_names_of_several_hosts(start_pool, start_fake, authority, swapped):
    """Each certificate is for its own host, or each for the other one."""
    authority.sign("address", alternatives="IP:127.0.0.1")
    certificates = ["localhost", "address"][::-1 if swapped else 1]
    fakes = [tls_server(start_fake, authority, name) for name in certificates]
    pool = start_pool(size=2, config=merge(
        hosts(authority, ("localhost", fakes[0]), ("127.0.0.1", fakes[1])),
        {"defaults": {"pool": {"acquire_timeout": "500ms", "retry": {"min": "10ms"}}}}))
    if swapped:
        for _ in range(4):
            assert "certificate is not for" in told(pool).reason
        assert [fake.connections for fake in fakes] == [[], []]
        return
    clients = [pool.client() for _ in range(2)]
    for one in clients:
        one.query("begin")
    assert [len(fake.connections) for fake in fakes] == [1, 1]


# ---------------------------------------------------------------- TLS that fails


@pytest.fixture(scope="module")
def stranger():
    one = Authority("stranger")
    one.sign("localhost", alternatives="DNS:localhost")
    one.sign("app")
    yield one
    shutil.rmtree(one.directory)


def with_stranger(authority, stranger):
    context = authority.client()
    context.load_cert_chain(stranger.cert("app"), stranger.key("app"))
    return context


def old(authority):
    context = authority.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


BAD_CLIENTS = {
    "does not trust": lambda ours, strange: strange.client(),
    "no certificate": lambda ours, strange: ours.client(),
    "certificate of a stranger": with_stranger,
    "too old": lambda ours, strange: old(ours),
}


@behaviour(104)
@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize("case", list(BAD_CLIENTS))
def test_tls_of_a_client_that_fails(start_secure, authority, stranger, case, direct):
    pool = start_secure(mode="verify-full", size=1, config=merge(SCRAM, {"max_clients": 1}),
                        tls={"ca": authority.ca, "min_version": "1.3"})
    good = authority.client("app")
    back_to_normal(pool, tls=good)
    before = pool.metrics().sum("process_open_fds")
    for _ in range(3):
        context = BAD_CLIENTS[case](authority, stranger)
        context.set_alpn_protocols(["postgresql"])
        with pytest.raises((Closed, OSError, ServerError)):
            pool.client(tls=context, direct=direct)
    pool.close_clients()
    eventually(lambda: pool.metrics().sum("process_open_fds") == before, what="no socket left open")
    assert not warnings(pool)
    back_to_normal(pool, tls=good)


def demanding(context, authority, stranger):
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca)


BAD_SERVERS = {
    "unknown authority": lambda context, ours, strange: context.load_cert_chain(
        strange.cert("localhost"), strange.key("localhost")),
    "another name": lambda context, ours, strange: context.load_cert_chain(
        ours.cert("alice"), ours.key("alice")),
    "demands a certificate": demanding,
    "too old": lambda context, ours, strange: setattr(
        context, "maximum_version", ssl.TLSVersion.TLSv1_2),
    "another protocol": lambda context, ours, strange: context.set_alpn_protocols(["h2"]),
    "falls silent": None,
    "ends": None,
}


@behaviour(104)
@pytest.mark.parametrize("case", list(BAD_SERVERS))
def test_tls_of_a_server_that_fails(start_pool, start_fake, authority, stranger, case):
    fake = tls_server(start_fake, authority, "localhost")
    good, bad = fake.tls, tls_server(start_fake, authority, "localhost").tls
    if case == "ends":
        bad.sni_callback = lambda link, name, _: ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
    elif case == "falls silent":
        bad.sni_callback = lambda link, name, _: time.sleep(1.5)
    else:
        BAD_SERVERS[case](bad, authority, stranger)
    fake.tls = bad
    pool = start_pool(config=merge(hosts(authority, ("localhost", fake), min_version="1.3"),
                                   {"defaults": {"pool": {"size": 1, **HASTE}}}))
    for _ in range(2):
        assert len(told(pool).sqlstate) == 5
    assert pool.metrics().sum("weir_server_opens_total", result="ok") == 0
    fake.tls = good
    back_to_normal(pool)
    assert pool.metrics().sum("weir_servers") == 1


@behaviour(104)
@pytest.mark.parametrize("answer", [b"N", b"X", b"S" + b"\0" * 64, b"S\x15\x03\x01\0\2\2\x28",
                                    b"SS", b"E\0\0\0\4", b"Eno\n\0"])
def test_answer_to_the_wish_for_tls(start_pool, start_fake, authority, answer):
    fake = start_fake()
    fake.answer_to_ssl = answer
    pool = start_pool(config=merge(
        hosts(authority, ("127.0.0.1", fake), mode="require", negotiation="postgres"),
        {"defaults": {"pool": {"size": 1, **HASTE}}}))
    assert len(told(pool).sqlstate) == 5 and fake.connections == []
    fake.answer_to_ssl = b"N"
    pool.config["databases"]["app"]["tls"]["mode"] = "prefer"
    pool.reload()
    back_to_normal(pool)


# ---------------------------------------------------------------- min


def watch(pool, seconds):
    """How many servers there were, every now and then."""
    counts, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        counts.append(pool.metrics().sum("weir_servers"))
        time.sleep(0.02)
    return counts


@behaviour(100)
@pytest.mark.parametrize("workers", [1, 2])
def test_min_outlives_idleness(start_pool, workers):
    pool = start_pool(size=6, min=3, idle_timeout="200ms", config={"workers": workers})
    clients = [pool.client() for _ in range(6)]
    for one in clients:
        one.query("begin")
    for one in clients:
        one.query("commit")
    eventually(lambda: pool.metrics().sum("weir_server_closes_total") == 3, what="three too many")
    assert set(watch(pool, 2)) == {3}
    assert pool.metrics().sum("weir_server_opens_total") == 6
    assert {one.value("select 1") for one in clients} == {"1"}
    pool.close_clients()
    back_to_normal(pool)


@behaviour(100)
@pytest.mark.parametrize("idle_timeout", ["0", "200ms"])
def test_min_outlives_its_servers(start_pool, idle_timeout):
    pool = start_pool(size=6, min=3, max_lifetime="1s", idle_timeout=idle_timeout)
    back_to_normal(pool)
    eventually(lambda: pool.metrics().sum("weir_servers") == 3, what="min servers")
    before = pool.metrics().sum("weir_server_opens_total")
    counts = watch(pool, 4)
    opened = pool.metrics().sum("weir_server_opens_total") - before
    assert 3 * 2 <= opened <= 3 * 5, "each once in 0.8 to 1.2 s, and some time to notice"
    assert max(counts) == 3 and sum(counts) > 2.4 * len(counts), counts


@behaviour(100)
def test_min_of_two_pools_under_one_cap(start_pool):
    """Neither takes from the other what both cannot have."""
    pool = start_pool(size=3, min=2, max_server_connections=3, idle_timeout="200ms")
    for user in ("app", "other"):
        assert pool.client(user).value("select 1") == "1"
    pool.close_clients()
    eventually(lambda: pool.metrics().sum("weir_servers") == 3, what="as many as there may be")
    assert set(watch(pool, 1.5)) == {3}
    assert pool.metrics().sum("weir_server_opens_total") == 3
