"""Reloads under 200 clients: certificates, rules and passwords change, and nobody is dropped."""

import pathlib
import signal
import ssl
import threading
import time

import pytest

from harness import (PASSWORD, ServerError, behaviour, eventually, pg, rows, tags, types,
                     weir_only)

pytestmark = weir_only

COUNT = 200
USERS = ("app", "app", "other", "other", "boss")  # `other` is in the users file
RULES = "host all app,other,boss all scram-sha-256\n"


def ask(client, sql):
    """The value of a query whose answer has nothing else in it."""
    found = client.query(sql)
    assert types(found).replace("S", "") == "TDCZ", found
    return rows(found)[0][0]


class Busy(threading.Thread):
    """Clients that run queries all the time: all of them ask, then all are answered."""

    def __init__(self, clients):
        super().__init__(daemon=True)
        self.clients = clients
        self.rounds, self.over, self.problem = 0, False, None

    def run(self):
        try:
            while not self.over:
                self.turn()
                time.sleep(0.01)
        except Exception as problem:  # told by the test
            self.problem = repr(problem)

    def turn(self):
        for mark, one in self.clients.items():
            one.send(pg.query(f"select '{mark}', pg_sleep(0.0002)"))
        for mark, one in self.clients.items():
            found = one.until_ready()
            assert "E" not in types(found) and rows(found)[0][0] == mark, (mark, found)
        self.rounds += 1

    def wait_for_rounds(self, count):
        least = self.rounds + count
        eventually(lambda: self.problem or self.rounds >= least, what="the busy ones served")
        assert self.problem is None, self.problem

    def stop(self):
        self.over = True
        self.join(20)
        assert self.problem is None and not self.is_alive(), self.problem


class Crowd:
    """Of ten clients two are in a transaction, four are busy, four idle; half of each over TLS."""

    def __init__(self, pool, authority):
        self.pool, self.authority, self.tls = pool, authority, authority.client()
        self.inside, self.idle, busy = {}, {}, {}
        for n in range(COUNT):
            one = self.newcomer(USERS[n // 10 % 5], encrypted=n % 2 == 0, kept=f"client {n}")
            group = (self.inside, busy, busy, self.idle, self.idle)[n % 5]
            group[f"client {n}"] = one
        for mark, one in self.inside.items():
            assert tags(one.query(f"begin; set local weir.mine = '{mark}'")) == ["BEGIN", "SET"]
        self.busy = Busy(busy)
        self.busy.start()

    def newcomer(self, user, password=PASSWORD, encrypted=False, kept=None):
        """A client that has its name as application_name."""
        return self.pool.client(user, password=password, tls=self.tls if encrypted else None,
                                startup={"application_name": kept} if kept else None)

    def gets_in(self, user, password=PASSWORD, encrypted=False):
        with self.newcomer(user, password, encrypted) as one:
            assert ask(one, "select current_user") == user

    def is_refused(self, user, password=PASSWORD):
        with pytest.raises(ServerError) as refused:
            self.newcomer(user, password)
        return str(refused.value)

    def certificate(self):
        """What new clients see."""
        with self.newcomer("app", encrypted=True) as one:
            return one.socket.getpeercert(binary_form=True)

    def failed(self):
        return self.pool.metrics().sum("weir_config_reloads_total", result="failed")

    def reload(self, success=True):
        before = self.failed()
        self.pool.reload()
        assert self.pool.metrics().sum("weir_config_last_reload_success") == success
        assert self.failed() - before == (not success)

    def check(self):
        """All are there, each with what is its own."""
        for mark, one in self.idle.items():
            assert ask(one, "select current_setting('application_name')") == mark
        for mark, one in self.inside.items():
            assert ask(one, "select current_setting('weir.mine')") == mark
        self.busy.wait_for_rounds(2)
        eventually(lambda: self.pool.metrics().sum("weir_clients") == COUNT, what="just these")

    def leave(self):
        self.busy.stop()
        for mark, one in self.inside.items():
            assert tags(one.query("commit")) == ["COMMIT"]
            assert ask(one, "select current_setting('application_name')") == mark


@pytest.fixture
def crowd(start_secure, authority, tmp_path):
    authority.sign("reloaded", "localhost", "DNS:localhost")
    (tmp_path / "hba.conf").write_text(RULES)
    (tmp_path / "users.txt").write_text(f'"other" "{PASSWORD}"\n')
    auth = {"method": "hba", "hba_file": str(tmp_path / "hba.conf"),
            "users_file": str(tmp_path / "users.txt")}
    tls = {"cert": authority.cert("reloaded"), "key": authority.key("reloaded")}
    pool = start_secure(size=20, tls=tls, config={"workers": 2, "users": {"other": None},
                                                  "auth": auth})
    one = Crowd(pool, authority)
    one.hba, one.users = tmp_path / "hba.conf", tmp_path / "users.txt"
    return one


def on_disk(crowd):
    pem = pathlib.Path(crowd.authority.cert("reloaded")).read_text()
    return ssl.PEM_cert_to_DER_cert(pem)


def new_certificate(crowd):
    before = crowd.certificate()
    crowd.authority.sign("reloaded", "localhost", "DNS:localhost")
    crowd.reload()
    assert crowd.certificate() == on_disk(crowd) != before


def broken_certificate(crowd):
    before, path = crowd.certificate(), pathlib.Path(crowd.authority.cert("reloaded"))
    good = path.read_text()
    of_another_key = pathlib.Path(crowd.authority.ca).read_text()
    for bad in ("no certificate", good[:len(good) // 2], of_another_key):
        path.write_text(bad)
        crowd.reload(success=False)
        assert crowd.certificate() == before
    path.write_text(good)
    crowd.reload()


def other_rules(crowd):
    crowd.hba.write_text("hostssl all boss all reject\nhostnossl all other all reject\n" + RULES)
    crowd.reload()
    crowd.gets_in("other", encrypted=True)
    crowd.gets_in("boss")
    assert "rejects" in crowd.is_refused("other")


def no_rules(crowd):
    """Every newcomer is rejected."""
    crowd.hba.write_text("host all all all reject\n")
    crowd.reload()
    for user in ("app", "other", "boss"):
        assert "rejects" in crowd.is_refused(user)


def broken_rules(crowd):
    """What is in force stays in force."""
    crowd.hba.write_text(RULES + "hos all\n")
    crowd.reload(success=False)
    assert "rejects" in crowd.is_refused("app")
    crowd.hba.write_text(RULES)
    crowd.reload()
    crowd.gets_in("app")


def other_password(crowd):
    crowd.pool.config["users"]["app"]["password"] = "changed"
    crowd.reload()
    assert "28P01" in crowd.is_refused("app")
    crowd.gets_in("app", "changed")
    crowd.pool.config["users"]["app"]["password"] = PASSWORD
    crowd.reload()
    crowd.gets_in("app")


def user_removed(crowd):
    entry = crowd.pool.config["users"].pop("boss")
    crowd.reload()
    assert "28P01" in crowd.is_refused("boss")
    crowd.check()
    crowd.pool.config["users"]["boss"] = entry
    crowd.reload()
    crowd.gets_in("boss")


def users_file(crowd):
    """Another password, gone, a line that is no line, back."""
    crowd.users.write_text('"other" "changed"\n')
    crowd.reload()
    assert "28P01" in crowd.is_refused("other")
    crowd.gets_in("other", "changed")
    crowd.users.write_text("")
    crowd.reload()
    assert "28P01" in crowd.is_refused("other", "changed")
    crowd.check()
    crowd.users.write_text('"other\n')
    crowd.reload(success=False)
    crowd.users.write_text(f'"other" "{PASSWORD}"\n')
    crowd.reload()
    crowd.gets_in("other")


def many_at_once(crowd):
    """Signals without waiting for what they cause; some find a new key with the old certificate."""
    for _ in range(10):
        crowd.authority.sign("reloaded", "localhost", "DNS:localhost")
        crowd.pool.process.send_signal(signal.SIGHUP)
    eventually(lambda: crowd.certificate() == on_disk(crowd), what="the last certificate")


@behaviour(82)
@behaviour(108)
def test_nobody_is_dropped(crowd):
    for change in (new_certificate, broken_certificate, other_rules, no_rules, broken_rules,
                   other_password, user_removed, users_file, many_at_once):
        change(crowd)
        crowd.check()
    crowd.leave()
