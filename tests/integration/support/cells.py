"""The cells of the matrix: what a client, or weir, is told to do, and what has to come of it."""

from dataclasses import dataclass

from .logins import REJECTED
from .speakers import WAYS


@dataclass
class Cell:
    """A wish, and what has to come of it."""
    column: str
    wish: dict
    way: str  # "" when it has to be refused with one of `texts`
    texts: list
    ability: str = ""  # what a client must be able to do for it
    may_be_unclear: bool = False

    def said(self, answer):
        """Which of the texts."""
        return next((text for text in self.texts if text in answer.get("refused", "")), None)

    def mark(self, answer):
        """What is written into the cell."""
        if self.way:
            wanted = {"found": f"{self.wish['user']} in {self.column}", "tls": self.way == "TLS"}
            return self.way if answer == wanted else "FAILED"
        if self.said(answer):
            return "refused"
        return "unclear" if "refused" in answer and self.may_be_unclear else "FAILED"


class Wishes:
    """Cells of a method, or of a listener, for one client."""

    def __init__(self, client, authority, stranger, place):
        self.client, self.authority, self.stranger = client, authority, stranger
        self.place = place

    def wish(self, column, method, mode, **options):
        authority = self.authority
        files = {"ca": authority.ca if mode.startswith("verify") or options.get("direct") else None}
        certificate = options.pop("certificate", method.certificate)
        if certificate and mode != "disable":
            signer = self.stranger if certificate == "mallory" else authority
            files |= {"cert": signer.cert(certificate), "key": signer.key(certificate),
                      "der_key": signer.der_key(certificate)}
        return {"cert": None, "key": None, "der_key": None, "direct": False, "bound": False,
                "user": method.user, "password": method.password, "database": method.database,
                "mode": mode, "sql": f"select current_user || ' in {column}'", **self.place,
                **files, **options}

    def cell(self, column, method, mode, **options):
        """What comes of it follows from what the client tries and what the method lets in."""
        ways = self.client.ways(mode, method.over_socket)
        way = next((way for way in ways if way in method.lets_in), "")
        texts = [] if way else method.texts(self.client, ways)
        return Cell(column, self.wish(column, method, mode, **options), way, texts)

    def modes(self, method):
        for mode in WAYS:
            # verify-ca does not look at the name: it gets one that is not the certificate's
            other = {"host": "127.0.0.1"} if mode == "verify-ca" and not method.over_socket else {}
            cell = self.cell(mode, method, mode, **other)
            cell.ability = mode
            yield cell

    def strict(self, method):
        """Where the client has to refuse the server; and what only some of them can do."""
        for column, mode, case, options in [
                ("verify-full, wrong name", "verify-full", "wrong name", {"host": "127.0.0.1"}),
                ("verify-ca, wrong CA", "verify-ca", "wrong authority", {"ca": self.stranger.ca})]:
            yield Cell(column, self.wish(column, method, mode, **options), "",
                       [self.client.says[case]])
        direct = self.cell("direct TLS", method, "verify-full", direct=True)
        direct.ability = "direct"
        yield direct
        if method.binds:
            bound = self.cell("bound channel", method, "require", bound=True)
            bound.ability = "bound"
            yield bound

    def mistakes(self, method):
        mode = "require" if "TLS" in method.lets_in else "disable"
        cases = {"wrong secret": method.wrong} if method.wrong else {}
        if method.asks_password:
            cases["unknown user"] = {"user": "nobody"}
        for column, options in cases.items():
            text = method.wrong_says.format(user=options.get("user", method.user))
            yield Cell(column, self.wish(column, method, mode, **options), "", [text])


def server_cells(method):
    """(column, way, text)"""
    for mode in WAYS:
        # Unlike libpq, weir does not come back in clear when a server with TLS refuses it over TLS.
        ways = WAYS[mode] if mode == "allow" else WAYS[mode][:1]
        way = next((way for way in ways if way in method.lets_in), "")
        yield mode, way, "" if way else REJECTED
    yield "verify-full, wrong name", "", 'not for "127.0.0.1"'
    yield "verify-ca, wrong CA", "", "the peer's certificate: "
    if method.wrong_says and "TLS" in method.lets_in:
        yield "wrong secret", "", method.wrong_says.format(role=method.role)
    if "TLS" not in method.lets_in:
        yield "bound channel", "", REJECTED
    elif method.binds:
        yield "bound channel", "TLS", ""
    else:
        yield "bound channel", "", "does not bind"


def cells_without_tls():
    """A server that has none: it is noticed before who logs in."""
    for mode in WAYS:
        way = "clear" if "clear" in WAYS[mode] else ""
        yield f"{mode}, no TLS there", way, "" if way else "does not speak TLS"
