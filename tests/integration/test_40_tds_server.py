"""The TDS server that stands in for SQL Server (tests/support/tds_server), held against what real
clients and a real server have said to each other (tests/support/tds_traces)."""

import pytest

from support import tds_recordings
from support.tds_recordings import ACKNOWLEDGED, ATTENDED, ENCRYPTED, Recording, Replay
from support.tds_client import OFF, TdsClient
from support.tds_server import TdsServer
from support.tds_tokens import messages, shape

TRACED = {"weir_trace": "Trace-pw-1"}
PLAIN = [name for name in tds_recordings.names() if name not in ENCRYPTED]


# What SQL Server says differently, of all that is recorded from Babelfish. First replies that many
# recordings have: the login's, where SQL Server has MS-TDS's own order, always tells the language
# and the packet size, and acknowledges UTF8_SUPPORT; and tedious' prologue, where Babelfish says a
# DONE for each SET.
WELCOME = ("ENVCHANGE 1 | INFO | ENVCHANGE 7 | ENVCHANGE 2 | INFO | LOGINACK | FEATUREEXTACK | "
           "ENVCHANGE 4 | DONE 0x0")
EVERYWHERE = {
    "ENVCHANGE 1 | INFO | ENVCHANGE 2 | INFO | ENVCHANGE 7 | LOGINACK | DONE 0x0": WELCOME,
    "ENVCHANGE 1 | INFO | ENVCHANGE 7 | LOGINACK | DONE 0x0": WELCOME,
    "ENVCHANGE 4 | ENVCHANGE 1 | INFO | ENVCHANGE 2 | INFO | ENVCHANGE 7 | LOGINACK | DONE 0x0":
        WELCOME,
    "DONE 0x1 | " * 9 + "ENVCHANGE 2 | INFO | " + "DONE 0x1 | " * 5 + "DONE 0x0":
        "ENVCHANGE 2 | INFO | DONE 0x0",
}
# Then replies of single recordings, by their number, and why.
EXCEPTIONS = {
    # 4060 and 18456, where Babelfish says 911.
    "login_failed_db": {0: "ERROR | ERROR | DONE 0x2"},
    # RESETCONNECTIONSKIPTRAN is no error; a transaction that is begun by a transaction manager
    # request is no statement, and one that SQL text ends is told by ENVCHANGE 10.
    "raw_reset_bits": {4: "ENVCHANGE 18 | ENVCHANGE 8 | DONE 0x0", 5: "ENVCHANGE 10 | DONE 0x0",
                       7: "ENVCHANGE 18 | COLMETADATA | ROW | DONE 0x10"},
    # Packets that are not full end the connection.
    "raw_ignore": {1: None},
    # A second request before the end of the reply as well.
    "raw_pipeline": {2: None},
    # Nothing is said of SET, so that the DONE of SELECT is the last one. FreeTDS' bcp relies on it.
    "tedious_batch": {6: "COLMETADATA | ROW | DONE 0x0"},
    "tedious_proc": {4: "RETURNSTATUS | RETURNVALUE | DONEPROC 0x0"},
    # RESETCONNECTION, then the prologue.
    "tedious_reset": {5: "ENVCHANGE 18 | ENVCHANGE 2 | INFO | DONE 0x0"},
    # Requests to the transaction manager are no statements.
    "tedious_tran_commit": {2: "ENVCHANGE 8 | DONE 0x0", 5: "DONE 0x0",
                            7: "ENVCHANGE 9 | DONE 0x0"},
    # A wrong number of columns does not roll back.
    "tedious_tran_error": {3: "ENVCHANGE 8 | DONE 0x0", 4: "ERROR | DONE 0x2"},
    "tedious_tran_rollback": {2: "ENVCHANGE 8 | DONE 0x0", 4: "ENVCHANGE 10 | DONE 0x0"},
    # SQL text begins and ends transactions as well.
    "tedious_tran_text": {2: "ENVCHANGE 8 | DONE 0x0", 4: "ENVCHANGE 9 | DONE 0x0",
                          5: "ENVCHANGE 8 | DONE 0x0", 6: "ENVCHANGE 10 | DONE 0x0"},
    # No features before TDS 7.4.
    **{name: {0: WELCOME.replace("FEATUREEXTACK | ", "")} for name in (
        "tedious_login_tds71", "tedious_login_tds72", "tedious_login_tds73", "tsql_login_tds71")},
    "tsql_batch": {3: "ENVCHANGE 8 | DONE 0x0", 4: "ENVCHANGE 10 | DONE 0x0"},
}
CAUGHT = {"raw_ignore": "is not the last one", "raw_pipeline": "before the reply's end"}


@pytest.fixture(scope="module")
def sql_server():
    with TdsServer(users={**TRACED, "app": "secret"}) as one:
        yield one


@pytest.fixture(scope="module")
def babelfish():
    with TdsServer("--babelfish", users={**TRACED, "app": "secret"}) as one:
        yield one


def without_numbers(found):
    """As texts, and without the numbers of errors: Babelfish's are its own."""
    return [" | ".join("ERROR" if word.startswith("ERROR") else word for word in one)
            for one in found]


@pytest.mark.parametrize("name", PLAIN)
def test_babelfish_as_recorded(babelfish, name):
    recording = Recording(name)
    assert Replay(recording, babelfish.port).found == recording.replies()


@pytest.mark.parametrize("name", [name for name in PLAIN if name not in ATTENDED])
def test_sql_server_as_recorded(sql_server, name):
    recording = Recording(name)
    expected = [EVERYWHERE.get(one, one) for one in without_numbers(recording.replies())]
    for number, one in EXCEPTIONS.get(name, {}).items():
        expected[number] = one
    found = Replay(recording, sql_server.port)
    assert without_numbers(found.found) == [one for one in expected if one is not None]
    if name in CAUGHT:
        assert CAUGHT[name] in sql_server.caught()[0] and found.closed


@pytest.mark.parametrize("name", ATTENDED)
def test_sql_server_stops(sql_server, name):
    """The cut result and the acknowledgement, in one message or two; then the rest as recorded."""
    recording = Recording(name)
    found = Replay(recording, sql_server.port).found
    words = [word for one in found for word in one]
    assert words.count(ACKNOWLEDGED) == 1
    assert found[-1] == recording.replies()[-1]


# What was recorded inside TLS cannot be replayed, its keys are new each time. The PRELOGIN can, and
# behind a handshake of our own the requests of the same client without encryption.
SAME_IN_CLEAR = {"tedious_login_encrypt": "tedious_login_plain",
                 "tedious_login_encrypt_tls12": "tedious_login_plain",
                 "tsql_login_request": "tsql_login", "tsql_login_require": "tsql_login"}


def encryption_of(body):
    """The ENCRYPTION option of a PRELOGIN; all clients here have it second."""
    assert body[5] == 1
    return body[int.from_bytes(body[6:8], "big")]


@pytest.mark.parametrize("name", SAME_IN_CLEAR)
def test_what_was_recorded_in_tls(babelfish, name):
    recording, plain = Recording(name), Recording(SAME_IN_CLEAR[name])
    asked = recording.turns()[0][0]
    answered = first_message(recording.bytes_of("s2c"))
    with TdsClient(babelfish.port) as client:
        client.version = plain.version << 24
        client.write(asked)
        _, body = client.message()
        assert encryption_of(body) == encryption_of(answered)
        client.start_tls()
        found = []
        for number, (written, _) in enumerate(plain.turns()[1:]):
            client.write(written)
            if number == 0 and encryption_of(body) == OFF:
                client.end_tls()  # for LOGIN7 only
            found.append(shape(client.reply()))
    assert found == plain.replies()


def test_a_strict_hello(sql_server, babelfish):
    hello = Recording("tedious_strict").bytes_of("c2s")
    with TdsClient(babelfish.port) as client:
        client.write(hello)
        assert client.is_closed()
    with TdsClient(sql_server.port) as client:
        client.write(hello)
        assert client.take(3)[0] == 0x16  # a handshake record


def first_message(data):
    return messages(data[:int.from_bytes(data[2:4], "big")])[0][2]
