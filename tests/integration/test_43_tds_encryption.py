"""What is encrypted between SQL Server's clients and weir, and between weir and the servers: every
cell of the tables in docs/sql-server.md and docs/configuration.md, and how TLS begins and ends."""

import ssl

import pytest

from harness import weir_only
from support.tds_client import (BATCH, LOGIN7, NOT_SUPPORTED, OFF, ON, PRELOGIN, REQUIRED, Closed,
                                TdsClient, errors, headers, login7, packets)
from support.tds_server import TdsServer
from support.tds_weir import client_of, start_weir, value

pytestmark = weir_only

CLIENT_BYTES = {"none": NOT_SUPPORTED, "login": OFF, "mandatory": ON, "required": REQUIRED}


@pytest.fixture(scope="module")
def server():
    with TdsServer() as one:
        yield one


@pytest.fixture(scope="module")
def weirs(server, authority):
    """weir with a listener of a mode; one for all tests of this file."""
    started = {}

    def one(mode):
        if mode not in started:
            started[mode] = start_weir(server, "session", size=4, listener=with_tls(authority, mode))
        return started[mode]

    yield one
    for weir in started.values():
        weir.stop()


def with_tls(authority, mode, name="localhost"):
    if mode == "disable":
        return {}
    return {"tls": {"mode": mode, "cert": authority.cert(name), "key": authority.key(name)}}


def request(sql):
    return packets(BATCH, headers() + sql.encode("utf-16-le"))


def welcome(user="app", password="secret"):
    return packets(LOGIN7, login7(user=user, password=password, database="app"))


# ---------------------------------------------------------------- clients and weir


NO_TLS, NEEDS_TLS = ("the client wants TLS, which is not spoken here",
                     "the client has no TLS, which is required here")
# listener: {client: (what weir answers, what is encrypted then)}
CELLS = {
    "disable": {"none": (NOT_SUPPORTED, "nothing"), "login": (NOT_SUPPORTED, "nothing"),
                "mandatory": (NOT_SUPPORTED, NO_TLS), "required": (NOT_SUPPORTED, NO_TLS)},
    "login": {"none": (NOT_SUPPORTED, "nothing"), "login": (OFF, "login"),
              "mandatory": (ON, "all"), "required": (ON, "all")},
    "prefer": {"none": (NOT_SUPPORTED, "nothing"), "login": (REQUIRED, "all"),
               "mandatory": (ON, "all"), "required": (ON, "all")},
    "require": {"none": (REQUIRED, NEEDS_TLS), "login": (REQUIRED, "all"),
                "mandatory": (ON, "all"), "required": (ON, "all")},
    "strict": {"none": (REQUIRED, NEEDS_TLS), "login": (REQUIRED, "in words"),
               "mandatory": (ON, "in words"), "required": (ON, "in words")},
}


@pytest.mark.behaviour("tds", "T11")
@pytest.mark.parametrize("wish", CLIENT_BYTES)
@pytest.mark.parametrize("mode", CELLS)
def test_a_listener_and_its_clients(weirs, mode, wish):
    answer, outcome = CELLS[mode][wish]
    weir = weirs(mode)
    with TdsClient(weir.port) as client:
        assert client.prelogin(CLIENT_BYTES[wish]) == answer
        if outcome in (NO_TLS, NEEDS_TLS):
            assert client.is_closed()
            return weir.wait_for_log(outcome)
        if outcome != "nothing":
            client.start_tls()
        client.write(welcome())
        if outcome == "login":
            client.end_tls()
        found = client.reply()
        if outcome == "in words":
            assert errors(found) == [18456, 18456]
            assert "Encrypt=strict" in next(one for one in found if one.kind == "ERROR").text
            assert client.is_closed()
            return weir.wait_for_log("Encrypt=strict")
        assert not errors(found)
        assert client.value("SELECT 11") == 11


@pytest.mark.behaviour("tds", "T11")
@pytest.mark.parametrize("mode", ["login", "prefer", "require"])
def test_a_client_that_offers_a_certificate(weirs, mode):
    """0x80 is added then. weir asks for none."""
    with TdsClient(weirs(mode).port) as client:
        assert not errors(client.login(encryption=ON | 0x80, database="app"))
        assert client.tls and client.value("SELECT 14") == 14


@pytest.mark.behaviour("tds", "T11")
@pytest.mark.behaviour("tds", "T14")
@pytest.mark.parametrize("mode", CELLS)
def test_a_listener_and_a_strict_client(weirs, mode):
    weir = weirs(mode)
    with TdsClient(weir.port) as client:
        if mode == "disable":
            with pytest.raises(Closed):
                client.start_tls(inside_packets=False, alpn="tds/8.0")
            weir.wait_for_log("the client began with TLS, which is not spoken here")
            return
        assert not errors(client.login_strict(database="app"))
        assert client.tls.selected_alpn_protocol() == "tds/8.0"
        assert client.value("SELECT 12") == 12


@pytest.mark.behaviour("tds", "T14")
@pytest.mark.parametrize("mode", ["strict", "require"])
@pytest.mark.parametrize("alpn", [None, "h2"])
def test_tls_first_for_something_else_is_refused(weirs, mode, alpn):
    weir = weirs(mode)
    with TdsClient(weir.port) as client:
        with pytest.raises((Closed, ssl.SSLError)):  # in the handshake, or behind it
            client.start_tls(inside_packets=False, alpn=alpn)
            client.prelogin()
    assert not alpn or "alpn" in weir.log().lower()
    with TdsClient(weir.port) as other:
        other.login_strict(database="app")
        assert other.value("SELECT 13") == 13


@pytest.mark.behaviour("tds", "T11")
@pytest.mark.parametrize("mode", ["require", "strict"])
def test_login7_alone_is_refused_where_tls_is_required(weirs, mode):
    """Clients of old begin with it."""
    with TdsClient(weirs(mode).port) as client:
        client.write(welcome())
        assert 18456 in errors(client.reply())
        assert client.is_closed()


# ---------------------------------------------------------------- where TLS begins and ends


class Uneven(TdsClient):
    """Sends records of the handshake in packets of a few bytes; `whole` says whether these are one
    message or a message each."""

    size_of_packet, whole = 7, True

    def _handshake_bytes(self, inside_packets):
        data = self.outgoing.read()
        if self.whole:
            return self.socket.sendall(packets(PRELOGIN, data, self.size_of_packet + 8)
                                       if data else b"")
        for at in range(0, len(data), self.size_of_packet):
            self.socket.sendall(packets(PRELOGIN, data[at:at + self.size_of_packet]))


@pytest.mark.behaviour("tds", "T13")
@pytest.mark.parametrize("whole", [True, False], ids=["one message", "a message each"])
@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("wish", [OFF, ON])
def test_a_handshake_in_many_packets(weirs, wish, size, whole):
    with Uneven(weirs("login").port) as client:
        client.size_of_packet, client.whole = size, whole
        assert not errors(client.login(encryption=wish, database="app"))
        assert client.value("SELECT 21") == 21


@pytest.fixture(scope="module")
def large(authority):
    """The name of a certificate that needs several packets."""
    authority.sign("large", "localhost", "DNS:localhost," + ",".join(
        f"DNS:{'x' * 60}.{n}.example" for n in range(150)))
    return "large"


@pytest.mark.behaviour("tds", "T13")
@pytest.mark.parametrize("wish", [OFF, ON])
def test_certificates_of_several_packets_on_both_sides(authority, large, wish):
    options = ("--encrypt", "on" if wish == OFF else "required", "--certificate",
               authority.cert(large), "--key", authority.key(large))
    with TdsServer(*options) as server:
        weir = start_weir(server, "session", listener=with_tls(authority, "login", large))
        with TdsClient(weir.port) as client:
            assert not errors(client.login(encryption=wish, database="app"))
            assert client.value("SELECT 22") == 22
            assert server.session(app="weir")["encryption"] == ("login" if wish == OFF else "all")
        weir.stop()


def login_only(weir):
    client = TdsClient(weir.port)
    assert client.prelogin(OFF) == OFF
    client.start_tls()
    return client


@pytest.mark.behaviour("tds", "T12")
@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_the_login_in_pieces_and_the_request_right_behind_it(weirs, step):
    """TLS ends in the middle of what has come at once."""
    with login_only(weirs("login")) as client:
        login = welcome()
        for at in range(0, len(login), 40):  # a record each
            client.tls.write(login[at:at + 40])
        data = client.outgoing.read() + request("SELECT 31")
        for at in range(0, len(data), step):
            client.socket.sendall(data[at:at + step])
        client.end_tls()
        assert not errors(client.reply())
        assert value(client.reply()) == 31
        assert client.value("SELECT 32") == 32


@pytest.mark.behaviour("tds", "T12")
@pytest.mark.parametrize("wish", [NOT_SUPPORTED, ON])
def test_the_request_right_behind_the_login(weirs, wish):
    with TdsClient(weirs("login").port) as client:
        client.prelogin(wish)
        if wish == ON:
            client.start_tls()
        client.write(welcome() + request("SELECT 33"))
        assert not errors(client.reply())
        assert value(client.reply()) == 33


@pytest.mark.behaviour("tds", "T12")
def test_a_refusal_comes_in_clear(weirs):
    with login_only(weirs("login")) as client:
        client.write(welcome(password="wrong"))
        client.end_tls()
        assert errors(client.reply()) == [18456]
        assert client.is_closed()


@pytest.mark.behaviour("tds", "T12")
def test_many_logins_to_a_server_lose_nothing(server, weirs):
    """weir's own logins are of this kind, one for each shape of its clients."""
    weir, languages = weirs("login"), ["us_english", "British", "Deutsch"]
    for n in range(12):
        with client_of(weir, language=languages[n % 3]) as client:
            spid = client.value("SELECT @@SPID")
            assert client.value("SELECT @@LANGUAGE") == languages[n % 3]
            assert server.session(spid=spid)["encryption"] == "login"


# ---------------------------------------------------------------- weir and servers


WANTS_FIRST = "tls.mode: strict"
HAS_NONE = "the server has no TLS, which tls.mode demands"
RULED_OUT = "the server demands TLS, which tls.mode rules out"
TOWARDS = {
    "off": {"disable": "none", "prefer": "none", "require": HAS_NONE, "verify-full": HAS_NONE,
            "strict": None},
    "on": {"disable": "none", "prefer": "login", "require": "all", "verify-full": "all",
           "strict": "strict"},
    "required": {"disable": RULED_OUT, "prefer": "all", "require": "all", "verify-full": "all",
                 "strict": "strict"},
    "strict": {"disable": WANTS_FIRST, "prefer": WANTS_FIRST, "require": WANTS_FIRST,
               "verify-full": WANTS_FIRST,
               "strict": "strict"},
}


@pytest.fixture(scope="module")
def servers(authority):
    started = {}

    def one(encrypt):
        if encrypt not in started:
            options = () if encrypt == "off" else ("--certificate", authority.cert("localhost"),
                                                   "--key", authority.key("localhost"))
            started[encrypt] = TdsServer("--encrypt", encrypt, *options)
        return started[encrypt]

    yield one
    for each in started.values():
        each.stop()


def with_database(authority, mode, acquire_s=1, **more):
    verified = {"ca": authority.ca, "server_name": "localhost"} if mode in (
        "verify-ca", "verify-full", "strict") else {}
    return {"database": {"tls": {"mode": mode, **verified, **more}},
            "defaults": {"pool": {"acquire_timeout": f"{acquire_s}s"}}}


def refusal(weir):
    """The text of what a client's login comes to."""
    with TdsClient(weir.port) as client:
        found = client.login(database="app")
        assert errors(found), "it got in"
        assert client.is_closed()
        return next(one for one in found if one.kind == "ERROR").text


@pytest.mark.behaviour("tds", "T11")
@pytest.mark.parametrize("mode", TOWARDS["on"])
@pytest.mark.parametrize("encrypt", TOWARDS)
def test_weir_and_a_server(authority, servers, encrypt, mode):
    server, outcome = servers(encrypt), TOWARDS[encrypt][mode]
    works = outcome in ("none", "login", "all", "strict")
    weir = start_weir(server, "session", **with_database(authority, mode, 20 if works else 1))
    if works:
        with client_of(weir) as client:
            assert client.value("SELECT 41") == 41
            assert server.session(app="weir")["encryption"] == outcome
    else:
        said = refusal(weir)
        assert outcome is None or outcome in said
        weir.wait_for_log(said)
        if outcome in (None, WANTS_FIRST):  # no TLS where TDS 8.0 is expected, or the other way round
            server.caught()
    weir.stop()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full", "strict"])
def test_a_certificate_of_somebody_else(servers, authority, mode):
    """Of the right authority with another name, and of one that nobody knows."""
    server = servers("on")
    for wrong in ({"server_name": "elsewhere"}, {"ca": authority.cert("alice")}):
        weir = start_weir(server, "session", **with_database(authority, mode, **wrong))
        if mode == "verify-ca" and "server_name" in wrong:
            with client_of(weir) as client:
                assert client.value("SELECT 42") == 42
        else:
            assert "certificate" in refusal(weir)
        weir.stop()
