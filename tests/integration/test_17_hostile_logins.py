"""Section 6: logins that are meant badly, by clients and by servers; and who must not learn who
exists."""

import itertools
import statistics
import struct
import time
import unittest.mock

import pytest

from harness import PASSWORD, ServerError, Wire, behaviour, eventually, pg, weir_only
from support.scram import ScramClient, ScramServer

pytestmark = weir_only

LOGIN = pg.startup({"user": "app", "database": "app"})
SCRAM = {"auth": {"method": "scram-sha-256", "brake": {"failures": 0}}}
HASTE = {"acquire_timeout": "300ms", "connect_timeout": "1s", "max_server_connections": 1,
         "retry": {"min": "10ms", "max": "20ms"}}
SETTLED = {"weir_clients": 0, "weir_pool_waiting": 0, "busy": 0}


def counted(pool):
    page = pool.metrics()
    found = {name: page.sum(name) for name in ("weir_clients", "weir_pool_waiting")}
    return {**found, "busy": page.sum("weir_servers") - page.sum("weir_servers", state="idle")}


def back_to_normal(pool, **options):
    """Nothing is left of whoever came, and whoever comes now is served."""
    eventually(lambda: counted(pool) == SETTLED, what=f"the counts back, not {counted(pool)}")
    eventually(lambda: served(pool, **options), what="a good client served")
    eventually(lambda: counted(pool) == SETTLED, what="the counts back")


def served(pool, **options):
    try:
        with pool.client(**options) as client:
            return client.value("select 1")
    except ServerError:
        return None  # the pause after a failed login


def refused(client):
    """The only error that it is told, once it has been closed: it can be read, and is complete."""
    found = [one for one in client.until_closed() if one.type != "R"]
    assert pg.types(found) == "E", found
    assert found[0].fields["S"] == found[0].fields["V"] == "FATAL" and found[0].reason, found
    return found[0]


def told(pool):
    client = pool.raw()
    client.send(LOGIN)
    return refused(client)


# ---------------------------------------------------------------- SASL from clients


def asked(pool, **options):
    client = pool.raw(**options)
    client.send(LOGIN)
    assert client.read().body[:4] == struct.pack("!I", 10)
    return client


def initial(data, mechanism=b"SCRAM-SHA-256\0", size=None):
    size = len(data) if size is None else size
    return pg.message("p", mechanism + struct.pack("!I", size) + data)


FIRSTS = {
    "nothing": pg.message("p"),
    "no end of the mechanism": pg.message("p", b"SCRAM-SHA-256"),
    "no length": pg.message("p", b"SCRAM-SHA-256\0"),
    "half a length": pg.message("p", b"SCRAM-SHA-256\0\0\0"),
    "length too small": initial(b"n,,n=,r=abc", size=3),
    "length too large": initial(b"n,,n=,r=abc", size=12),
    "length -1": initial(b"", size=0xffffffff),
    "length -1 and data": initial(b"n,,n=,r=abc", size=0xffffffff),
    "length 2 GiB": initial(b"n,,n=,r=abc", size=1 << 31),
    "unknown mechanism": initial(b"n,,n=,r=abc", b"SCRAM-SHA-1\0"),
    "no mechanism": initial(b"n,,n=,r=abc", b"\0"),
    "binding without TLS": initial(b"p=tls-server-end-point,,n=,r=abc", b"SCRAM-SHA-256-PLUS\0"),
    "empty": initial(b""),
    "no header": initial(b"n=,r=abc"),
    "only a header": initial(b"n,,"),
    "another binding": initial(b"p=tls-unique,,n=,r=abc"),
    "identity": initial(b"n,a=boss,n=,r=abc"),
    "mandatory extension": initial(b"n,,m=x,n=,r=abc"),
    "mandatory extension behind": initial(b"n,,n=,r=abc,m=x"),
    "no nonce": initial(b"n,,n="),
    "empty nonce": initial(b"n,,n=,r="),
    "long nonce": initial(b"n,,n=,r=" + b"x" * 257),
    "very long nonce": initial(b"n,,n=,r=" + b"x" * 60000),
    "NUL in the nonce": initial(b"n,,n=,r=ab\0c"),
    "high byte in the nonce": initial(b"n,,n=,r=ab\xffc"),
    "final first": pg.message("p", b"c=biws,r=abc,p=" + b"A" * 43 + b"="),
    "a query": pg.query("select 1"),
    "message length 0": b"p\0\0\0\0",
    "message length 3": b"p\0\0\0\3",
    "message length -1": b"p\xff\xff\xff\xff",
    "message length 1 MiB": b"p" + struct.pack("!I", 1 << 20),
}


@behaviour(75)
@pytest.mark.parametrize("case", list(FIRSTS))
def test_bad_first_message_of_a_client(start_pool, case):
    pool = start_pool(size=1, config=SCRAM)
    client = asked(pool)
    client.send(FIRSTS[case])
    assert refused(client).sqlstate == ("0A000" if case == "identity" else "08P01")
    back_to_normal(pool)


# By the right c=, r= and p=
FINALS = {
    "nothing": lambda c, r, p: "",
    "no proof": lambda c, r, p: f"{c},{r}",
    "only a proof": lambda c, r, p: p,
    "another order": lambda c, r, p: f"{r},{c},{p}",
    "nonce cut": lambda c, r, p: f"{c},{r[:-1]},{p}",
    "nonce extended": lambda c, r, p: f"{c},{r}x,{p}",
    "nonce of another": lambda c, r, p: f"{c},r={'x' * (len(r) - 2)},{p}",
    "very long nonce": lambda c, r, p: f"{c},r={'x' * 60000},{p}",
    "another header": lambda c, r, p: f"c=eSws,{r},{p}",
    "no header": lambda c, r, p: f"c=,{r},{p}",
    "proof cut": lambda c, r, p: f"{c},{r},{p[:-4]}",
    "proof extended": lambda c, r, p: f"{c},{r},{p}AAAA",
    "proof not base64": lambda c, r, p: f"{c},{r},p={'*' * 44}",
    "empty proof": lambda c, r, p: f"{c},{r},p=",
    "two proofs": lambda c, r, p: f"{c},{r},{p},{p}",
    "something behind": lambda c, r, p: f"{c},{r},{p},x=y",
    "mandatory extension": lambda c, r, p: f"{c},{r},m=x,{p}",
    "first again": lambda c, r, p: "n,,n=,r=abc",
    "NUL behind": lambda c, r, p: f"{c},{r},{p}\0",
    "another proof": lambda c, r, p: f"{c},{r},p={'A' * 43}=",
}


@behaviour(75)
@pytest.mark.parametrize("case", list(FINALS))
def test_bad_final_message_of_a_client(start_pool, case):
    pool = start_pool(size=1, config=SCRAM)
    client, scram = asked(pool), ScramClient(PASSWORD)
    client.send(initial(scram.first()))
    right = scram.final(client.read().body[4:]).decode().split(",")
    client.send(pg.message("p", FINALS[case](*right).encode()))
    assert refused(client).sqlstate == ("28P01" if case == "another proof" else "08P01")
    back_to_normal(pool)


@behaviour(75)
@pytest.mark.parametrize("stage", ["first twice", "final twice", "behind the login"])
def test_repeated_message_of_a_client(start_pool, stage):
    pool = start_pool(size=1, config=SCRAM)
    client, scram = asked(pool), ScramClient(PASSWORD)
    first = initial(scram.first())
    client.send(first * (2 if stage == "first twice" else 1))
    if stage != "first twice":
        final = pg.message("p", scram.final(client.read().body[4:]))
        client.send(final * (2 if stage == "final twice" else 1))
        client.until_ready()
        if stage == "behind the login":
            client.send(first)
    assert refused(client).sqlstate == "08P01"
    back_to_normal(pool)


# ---------------------------------------------------------------- SASL from servers

WELCOME = pg.authentication_ok() + pg.backend_key(1, b"1234") + pg.ready()


def sasl(kind, data=b""):
    return pg.message("R", struct.pack("!I", kind) + data)


def scripted(order="OFSW", offer=b"SCRAM-SHA-256\0\0", first="{right}", final="{right}"):
    """A `log_in`: Offer, First, Signature, Cleartext, Welcome, or bytes, in this order. It ends in
    a welcome: who has taken no offence is logged in."""
    def log_in(connection):
        scram, hello, said = ScramServer(PASSWORD), b"n,,n=,r=nobody", b""
        for step in order:
            if step == "O":
                connection.send(sasl(10, offer))
                hello = said = connection.read().body
            elif step == "F":
                right = scram.first(hello[hello.index(b"n,,"):])
                nonce = scram.first_bare.split("r=")[1]
                scram.challenge = first.format(right=right, nonce=nonce, salt=right.split(",")[1])
                connection.send(sasl(11, scram.challenge.encode()))
                said = connection.read().body
            elif step == "S":
                connection.send(sasl(12, final.format(right=scram.final(said)).encode()))
            elif step == "C":
                connection.send(sasl(3))
                connection.read()
            else:
                connection.send(WELCOME if step == "W" else step)
        return True
    return log_in


@behaviour(75)
def test_sasl_of_the_scripted_server(start_pool, start_fake):
    """What the cases below change is right otherwise."""
    fake = start_fake()
    fake.log_in = scripted()
    assert start_pool(fake, size=1).client().value("select 1") == "fake 0"


ANSWER = "r={nonce}more,{salt}"
BAD_SASL = {
    "no mechanism": {"offer": b"\0"},
    "empty offer": {"offer": b""},
    "no end of the offer": {"offer": b"SCRAM-SHA-256"},
    "bytes behind the offer": {"offer": b"SCRAM-SHA-256\0\0more"},
    "unknown mechanism": {"offer": b"GSSAPI\0\0"},
    "binding without TLS": {"offer": b"SCRAM-SHA-256-PLUS\0\0"},
    "empty challenge": {"first": ""},
    "no nonce": {"first": "{salt},i=4096"},
    "nonce of another": {"first": "r=other{nonce},{salt},i=4096"},
    "nonce not extended": {"first": "r={nonce},{salt},i=4096"},
    "nonce cut": {"first": "r={nonce:.10},{salt},i=4096"},
    "long nonce": {"first": "r={nonce}" + "x" * 257 + ",{salt},i=4096"},
    "very long nonce": {"first": "r={nonce}" + "x" * 60000 + ",{salt},i=4096"},
    "no salt": {"first": "r={nonce}more,i=4096"},
    "empty salt": {"first": "r={nonce}more,s=,i=4096"},
    "salt not base64": {"first": "r={nonce}more,s=*,i=4096"},
    "long salt": {"first": "r={nonce}more,s=" + "c2Fs" * 2000 + ",i=4096"},
    **{f"iterations {count or 'empty'}": {"first": f"{ANSWER},i={count}"}
       for count in ("0", "", "-1", "x", "4096x", "1000001", "2147483648", "9" * 400)},
    "no iterations": {"first": ANSWER},
    "mandatory extension": {"first": f"m=x,{ANSWER},i=4096"},
    "something behind": {"first": "{right},x=y"},
    "error for a challenge": {"first": "e=other-error"},
    "empty signature": {"final": ""},
    "signature of nothing": {"final": "v="},
    "signature of another": {"final": "v=" + "A" * 43 + "="},
    "signature cut": {"final": "{right:.40}"},
    "signature extended": {"final": "{right}AAAA"},
    "extension behind": {"final": "{right},m=x"},
    "error": {"final": "e=invalid-proof"},
    **{f"order {order}": {"order": order}
       for order in ("OW", "OFW", "OSW", "OFFSW", "OOFSW", "FSW", "SW", "OCW", "OFCW", "COFSW",
                     "OFSOFSW", "OFSSW")},
    **{f"R {raw.hex()}": {"order": [*where, b"R" + raw, "W"]}
       for where in ("", "OF") for raw in (
           b"\0\0\0\4", b"\0\0\0\7\0\0\0", b"\0\0\0\3", b"\0\0\0\0", b"\x40\0\0\0",
           b"\xff\xff\xff\xff\0\0\0\n")},
}


@behaviour(75)
@pytest.mark.parametrize("case", list(BAD_SASL))
def test_bad_sasl_of_a_server(start_pool, start_fake, case):
    fake = start_fake()
    fake.log_in = scripted(**BAD_SASL[case])
    pool = start_pool(fake, size=1, **HASTE)
    assert len(told(pool).sqlstate) == 5
    opens = pool.metrics()
    assert opens.sum("weir_server_opens_total") > opens.sum("weir_server_opens_total", result="ok")
    assert opens.sum("weir_server_opens_total", result="ok") == 0
    shown = [one.body for each in fake.connections for one in each.received]
    assert "C" in case or PASSWORD.encode() + b"\0" not in shown, "the password, in clear"
    fake.log_in = fake.accept_login
    back_to_normal(pool)


# ---------------------------------------------------------------- errors that lack something

BAD_ERRORS = {
    "nothing": b"",
    "only its end": b"\0",
    "no SQLSTATE": b"SERROR\0VERROR\0Mtoo bad\0\0",
    "no message": b"SERROR\0VERROR\0C42000\0\0",
    "no severity": b"C42000\0Mtoo bad\0\0",
    "empty fields": b"S\0V\0C\0M\0\0",
    "only unknown fields": b"Zfoo\0Ybar\0\0",
    "no end": b"SERROR\0C42000\0Mtoo bad\0",
    "no end of a field": b"SERROR\0C42000\0Mtoo bad",
    "long SQLSTATE": b"SERROR\0C4200042000\0Mtoo bad\0\0",
    "not UTF-8": b"SERROR\0C42000\0M\xff\xfe\0\0",
    "fields twice": b"C42000\0C42001\0Mfirst\0Msecond\0\0",
    "bytes behind": b"SERROR\0C42000\0Mtoo bad\0\0more",
}


def bad_error(case):
    return pg.message("E", BAD_ERRORS[case])


@behaviour(76)
@pytest.mark.parametrize("case", list(BAD_ERRORS))
def test_bad_error_in_a_login(start_pool, start_fake, case):
    fake = start_fake()
    fake.log_in = lambda connection: connection.send(bad_error(case))
    pool = start_pool(fake, size=1, **HASTE)
    assert len(told(pool).sqlstate) == 5
    fake.log_in = fake.accept_login
    back_to_normal(pool)


@behaviour(76)
@pytest.mark.parametrize("case", list(BAD_ERRORS))
def test_bad_error_in_a_query(start_pool, start_fake, case):
    def on_query(connection, sql):
        return bad_error(case) + pg.ready() if sql == "bad" else None

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=1)
    client = pool.client()
    assert [one.body for one in client.query("bad")] == [BAD_ERRORS[case], b"I"]
    assert client.value("select 1") == "fake 0"
    client.close()
    back_to_normal(pool)


@behaviour(76)
@pytest.mark.parametrize("case", ["nothing", "no message", "no SQLSTATE", "only unknown fields"])
@pytest.mark.parametrize("where", ["attach", "reset", "connect"])
def test_bad_error_in_words_of_weirs_own(start_pool, start_fake, where, case):
    """It used to count as a success when it had no message."""
    words = {"attach": "set_config", "reset": "DISCARD ALL", "connect": "select 'hello'"}[where]
    broken = [True]

    def on_query(connection, sql):
        return bad_error(case) + pg.ready() if broken and words in sql else None

    fake = start_fake(on_query=on_query)
    pool = start_pool(fake, size=1, mode="session" if where == "reset" else "transaction",
                      connect_query="select 'hello'" if where == "connect" else "", **HASTE)
    if where == "connect":
        assert "connect_query" in told(pool).reason
    elif where == "attach":
        with pytest.raises(ServerError) as found:
            pool.client(startup={"work_mem": "1MB"})
        assert len(found.value.sqlstate) == 5 and found.value.message.reason
    else:
        with pool.client() as client:
            assert client.value("select 1") == "fake 0"
        eventually(lambda: pool.metrics().sum("weir_server_closes_total", reason="reset_failed"),
                   what="the server closed that could not be reset")
    broken.clear()
    back_to_normal(pool)


# ---------------------------------------------------------------- who exists

class Guesser(ScramClient):
    """It derives no keys: that would take as long as what is to be noticed."""

    def final(self, server_first):
        nonce = server_first.decode().split(",")[0]
        return f"c=biws,{nonce},p={'A' * 43}=".encode()


def attempt(pool, user):
    """How long it took to be refused, and what was said."""
    client = Wire(pool.address, user, password="wrong", login=False)
    with unittest.mock.patch("support.wire.ScramClient", Guesser), \
            pytest.raises(ServerError), client:
        began = time.perf_counter()
        client.log_in({"user": user, "database": "app"})
    took = time.perf_counter() - began
    return took, [(one.type, len(one.body), one.fields if one.type == "E" else one.body[:4])
                  for one in client.login_messages]


@behaviour(77)
@pytest.mark.parametrize("method,user", [
    ("plain", "app"), ("plain", "md5_user"), ("plain", "scram_user"),
    ("md5", "app"), ("md5", "md5_user"),
    ("scram-sha-256", "app"), ("scram-sha-256", "md5_user"), ("scram-sha-256", "scram_user"),
    ("scram-sha-256", "few")])
def test_unknown_users_are_refused_as_slowly(start_pool, postgres, method, user):
    """`few` is looked up. To derive keys alone takes several times as long as all the rest."""
    secrets = dict(postgres.rows("select rolname, rolpassword from pg_authid where rolname in "
                                 "('md5_user', 'scram_user')"))
    pool = start_pool(size=1, config={
        "auth": {**SCRAM["auth"], "method": method, **(
            {"query": {"database": "app", "user": "boss"}} if user == "few" else {})},
        "users": {"few": {"password": ""},
                  **{name: {"password": secret} for name, secret in secrets.items()}}})
    stranger = "x" * len(user)
    times = {name: [] for name in (user, stranger)}
    for n, name in itertools.product(range(40), times):
        took, said = attempt(pool, name)
        times[name].append(took)
        assert n or repr(said).replace(name, user) == repr(attempt(pool, user)[1])
    known, unknown = (statistics.median(each) for each in times.values())
    assert 0.5 < known / unknown < 2, (known, unknown)
    back_to_normal(pool, user="boss")
