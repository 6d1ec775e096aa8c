"""The login methods of the matrix: of weir's listeners, and of a PostgreSQL behind it."""

import os
import pwd
import re
from dataclasses import dataclass, field

from .postgres_server import PASSWORD

ME = pwd.getpwuid(os.geteuid()).pw_name
BOTH = ("clear", "TLS")
REFUSED = 'password authentication failed for user "{user}"'
CERTIFICATE = 'certificate authentication failed for user "app"'
NO_RULE = "no entry of hba_file"
REQUIRED = "TLS is required here"
REJECTED = "pg_hba.conf rejects connection"

HBA = f"""
hostssl   over_tls  all all scram-sha-256
hostnossl in_clear  all all md5
host      either    all 127.0.0.0/8 password
hostssl   certified all all cert
hostssl   twice     all all scram-sha-256 clientcert=verify-full
local     by_socket all peer map=accounts
"""
IDENT = f"peer {ME} app\naccounts {ME} app\n"
HBA_DATABASES = ["over_tls", "in_clear", "either", "certified", "twice", "by_socket"]


@dataclass
class Method:
    """How clients log in: at which listener, what it lets in, what it says to the others."""
    listener: str
    user: str = "app"
    database: str = "app"
    password: str = PASSWORD
    certificate: str = ""
    lets_in: tuple = BOTH
    refuses: dict = field(default_factory=dict)  # by way: a text, or a case of Client.says
    binds: bool = False  # SCRAM, which can be bound to the channel
    asks_password: bool = True
    wrong: dict = field(default_factory=lambda: {"password": "wrong"})
    wrong_says: str = REFUSED

    @property
    def over_socket(self):
        return self.listener.startswith("socket")

    def texts(self, client, ways):
        """What is said to a client that tries these in vain: one of them."""
        return [client.says.get(self.refuses[way], self.refuses[way]) for way in ways]


def by_rule(database, **options):
    return Method("hba", database=database, refuses=dict.fromkeys(BOTH, NO_RULE), **options)


def by_certificate(method, **options):
    return method(**options, certificate="app", lets_in=("TLS",), asks_password=False,
                  wrong={"certificate": "alice"}, wrong_says=CERTIFICATE)


def by_account(listener, database):
    return Method(listener, database=database, password=None, lets_in=("clear",),
                  refuses={"TLS": "no TLS"}, asks_password=False, wrong={"user": "other"},
                  wrong_says='peer authentication failed for user "other"')


METHODS = {
    "trust": Method("trust", password=None, asks_password=False, wrong={}),
    "plain": Method("plain"),
    "md5": Method("md5"),
    "md5, a hash in `users`": Method("md5", user="md5_user"),
    "scram-sha-256": Method("scram-sha-256", binds=True),
    "scram-sha-256, a verifier in `users`": Method("scram-sha-256", user="verified", binds=True),
    "scram-sha-256, by auth.query": Method("scram-sha-256", user="looked_up", binds=True),
    "cert": by_certificate(Method, listener="cert", password=None,
                           refuses={"clear": CERTIFICATE}),
    "hba: hostssl scram-sha-256": by_rule("over_tls", lets_in=("TLS",), binds=True),
    "hba: hostnossl md5": by_rule("in_clear", lets_in=("clear",)),
    "hba: host password": by_rule("either"),
    "hba: hostssl cert": by_certificate(by_rule, database="certified", password=None),
    "hba: hostssl scram-sha-256 clientcert": by_certificate(by_rule, database="twice", binds=True),
    "peer": by_account("socket", "app"),
    "hba: local peer": by_account("socket of hba", "by_socket"),
}

LISTENERS = {
    "disable": Method("disable", lets_in=("clear",), refuses={"TLS": "no TLS"}),
    "allow": Method("allow"),
    "prefer": Method("prefer"),
    "require": Method("require", lets_in=("TLS",), refuses={"clear": REQUIRED}),
    "verify-ca, some certificate of the CA": Method(
        "verify-ca", certificate="alice", lets_in=("TLS",), refuses={"clear": REQUIRED}),
    "verify-ca, no certificate": Method(
        "verify-ca", lets_in=(), refuses={"clear": REQUIRED, "TLS": "no certificate"}),
    "verify-ca, a stranger's certificate": Method(
        "verify-ca", certificate="mallory", lets_in=(),
        refuses={"clear": REQUIRED, "TLS": "unknown authority"}),
    "verify-full, the user's certificate": Method(
        "verify-full", certificate="app", lets_in=("TLS",), refuses={"clear": REQUIRED}),
    "verify-full, another's certificate": Method(
        "verify-full", certificate="alice", lets_in=(),
        refuses={"clear": REQUIRED, "TLS": CERTIFICATE}),
}


@dataclass
class ServerMethod:
    """How a server lets in a role of its own, by a line of pg_hba.conf."""
    rule: str
    lets_in: tuple = BOTH
    wrong_says: str = 'password authentication failed for user "{role}"'

    @property
    def role(self):
        return "by_" + re.sub(r"\W", "_", self.rule)

    @property
    def line(self):
        kind, method = self.rule.split()
        return f"{kind} all {self.role} all {method}\nhost all {self.role} all reject\n"

    @property
    def binds(self):
        return "scram" in self.rule


SERVER_METHODS = [
    ServerMethod("host trust", wrong_says=""),
    ServerMethod("host password"),
    ServerMethod("host md5"),
    ServerMethod("host scram-sha-256"),
    ServerMethod("hostssl cert", ("TLS",), 'certificate authentication failed for user "{role}"'),
    ServerMethod("hostssl scram-sha-256", ("TLS",)),
    ServerMethod("hostnossl scram-sha-256", ("clear",)),
]
CERTIFIED = next(method.role for method in SERVER_METHODS if "cert" in method.rule)
