"""Section 6: passwords that the machine's PAM stack decides on."""

import os
import pathlib
import threading
import time

import pytest

from harness import PASSWORD, ServerError, merge, weir_only

pytestmark = [weir_only, pytest.mark.skipif(
    os.geteuid() != 0 or not pathlib.Path("/etc/pam.d").is_dir(),
    reason="a PAM service can be made by root only")]

CHECK = """#!/bin/sh
read -r password
[ "$PAM_USER" = slow ] && sleep 2
echo "$PAM_USER $PAM_RHOST" >> {seen}
[ "$password" = {password} ] && [ "$PAM_USER" != nobody ]
"""


@pytest.fixture
def service(tmp_path):
    """A PAM service that a script decides for; it writes down for whom it was asked."""
    name = f"weir-test-{os.getpid()}"
    script, seen = tmp_path / "check", tmp_path / "seen"
    script.write_text(CHECK.format(seen=seen, password=PASSWORD))
    script.chmod(0o755)
    file = pathlib.Path("/etc/pam.d") / name
    file.write_text(f"auth required pam_exec.so quiet expose_authtok {script}\n"
                    f"account required pam_succeed_if.so quiet user != expired\n")
    yield name, seen
    file.unlink()


def by_pam(name, **auth):
    return {"auth": {"method": "pam", "pam": {"service": name}, **auth}}


def refusal(pool, user, password=PASSWORD):
    with pytest.raises(ServerError) as refused:
        pool.client(user, password=password)
    return str(refused.value)


def test_the_stack_decides(start_pool, service):
    name, seen = service
    pool = start_pool(config=by_pam(name), size=2)
    assert pool.client().value("select current_user") == "app"
    assert seen.read_text() == "app 127.0.0.1\n"
    texts = {refusal(pool, "app", "wrong"), refusal(pool, "nobody")}
    assert all("password authentication failed" in text for text in texts), texts
    assert "secret" not in pool.log() and "wrong" not in pool.log()


def test_the_password_opens_servers(start_pool, service):
    """For a user that weir knows nothing of, and whose servers demand SCRAM."""
    name, _ = service
    pool = start_pool(config=by_pam(name), size=1)
    pool.config["users"] = {}
    pool.reload()
    assert pool.client("scram_user").value("select current_user") == "scram_user"


def test_an_account_may_be_refused(start_pool, service, postgres):
    name, _ = service
    postgres.rows("drop role if exists expired; create role expired login")
    pool = start_pool(config=by_pam(name))
    assert "password authentication failed" in refusal(pool, "expired")
    postgres.rows("drop role expired")


def test_a_service_that_is_not_there(start_pool):
    pool = start_pool(config=by_pam("weir-no-such-service"))
    assert "password authentication failed" in refusal(pool, "app")


def test_a_slow_stack_delays_nobody_else(start_pool, service):
    name, _ = service
    pool = start_pool(config=merge(by_pam(name), {"workers": 1}), size=1)
    client = pool.client()
    slow = threading.Thread(target=refusal, args=(pool, "slow", "wrong"))
    slow.start()
    time.sleep(0.2)
    began = time.monotonic()
    for _ in range(20):
        assert client.value("select 1") == "1"
    assert pool.client("other").value("select current_user") == "other"
    assert slow.is_alive() and time.monotonic() - began < 1.5
    slow.join(20)


def test_a_client_that_does_not_wait(start_pool, service):
    name, _ = service
    pool = start_pool(config=merge(by_pam(name), {
        "defaults": {"timeouts": {"client_login": "500ms"}}}), size=1)
    assert "not completed in time" in refusal(pool, "slow")
    assert pool.client().value("select 1") == "1"
    time.sleep(2)  # the answer comes when nobody is there any more
    assert pool.client().value("select 1") == "1"


def test_a_line_of_rules_may_name_a_service(start_pool, service, tmp_path):
    name, seen = service
    rules = tmp_path / "hba.conf"
    rules.write_text(f"host all app all pam pamservice={name}\nhost all all all trust\n")
    pool = start_pool(config={"auth": {"method": "hba", "hba_file": str(rules)}})
    assert pool.client().value("select 1") == "1"
    assert pool.client("other", password="none").value("select 1") == "1"
    assert seen.read_text().split() == ["app", "127.0.0.1"]
    assert "password authentication failed" in refusal(pool, "app", "wrong")
