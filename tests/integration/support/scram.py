"""SCRAM-SHA-256 for the raw client (RFC 5802, RFC 7677)."""

import base64
import hashlib
import hmac
import os


def _hmac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


class ScramClient:
    """`binding`: what of the TLS channel its proof is bound to (tls-server-end-point)."""

    def __init__(self, password, binding=None):
        self.mechanism = "SCRAM-SHA-256-PLUS" if binding else "SCRAM-SHA-256"
        self.header = b"p=tls-server-end-point,," if binding else b"n,,"
        self.binding = binding or b""
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.first_bare = f"n=,r={self.nonce}"
        self.server_signature = b""

    def first(self):
        return self.header + self.first_bare.encode()

    def final(self, server_first):
        parts = dict(part.split("=", 1) for part in server_first.decode().split(","))
        assert parts["r"].startswith(self.nonce), "the server's nonce does not extend ours"
        salted = hashlib.pbkdf2_hmac(
            "sha256", self.password, base64.b64decode(parts["s"]), int(parts["i"])
        )
        client_key = _hmac(salted, b"Client Key")
        channel = base64.b64encode(self.header + self.binding).decode()
        without_proof = f"c={channel},r={parts['r']}"
        signed = ",".join([self.first_bare, server_first.decode(), without_proof]).encode()
        signature = _hmac(hashlib.sha256(client_key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(client_key, signature))
        self.server_signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final):
        given = base64.b64decode(server_final.decode().removeprefix("v="))
        assert hmac.compare_digest(given, self.server_signature), "wrong server signature"


class ScramServer:
    """What a server says to a client's messages, as long as nobody changes it."""

    def __init__(self, password, salt=b"salt of the server", iterations=4096):
        self.password, self.salt, self.iterations = password.encode(), salt, iterations
        self.first_bare = self.challenge = ""

    def first(self, client_first):
        self.first_bare = client_first.decode().split(",", 2)[2]
        nonce = self.first_bare.split("r=")[1]
        salt = base64.b64encode(self.salt).decode()
        self.challenge = f"r={nonce}more,s={salt},i={self.iterations}"
        return self.challenge

    def final(self, client_final):
        without_proof = client_final.decode().rsplit(",p=", 1)[0]
        salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, self.iterations)
        signed = ",".join([self.first_bare, self.challenge, without_proof]).encode()
        return "v=" + base64.b64encode(_hmac(_hmac(salted, b"Server Key"), signed)).decode()
