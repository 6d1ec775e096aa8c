"""What tests of the stand-in for SQL Server itself share: one for a file, a client for each test."""

import pytest

from .tds_server import TdsServer
from .waiting import eventually

ENDLESS = "SELECT a.object_id, REPLICATE('z', 200) FROM sys.all_objects a, sys.all_objects b"
SLOW = "WAITFOR DELAY '00:00:20'"


@pytest.fixture(scope="module")
def server():
    with TdsServer() as one:
        yield one


@pytest.fixture
def client(server):
    with server.client() as one:
        yield one
    server.ask("clear")
    eventually(lambda: not server.sessions(), what="that the client is gone")
