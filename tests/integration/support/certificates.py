"""Certificates made by openssl: an authority of the run's own, and what it has signed."""

import pathlib
import ssl
import subprocess
import tempfile


class Authority:
    def __init__(self, name="authority"):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-ca-"))
        self.directory.chmod(0o755)
        self.name = name
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-days", "2", "-subj", f"/CN={name}",
                      "-keyout", self.key(name), "-out", self.cert(name))

    def cert(self, name):
        return str(self.directory / f"{name}.crt")

    def key(self, name):
        return str(self.directory / f"{name}.key")

    def der_key(self, name):
        """The same key as Java reads it."""
        path = self.directory / f"{name}.pk8"
        if not path.exists():
            self._openssl("pkcs8", "-topk8", "-nocrypt", "-in", self.key(name), "-outform", "DER",
                          "-out", path)
        return str(path)

    @property
    def ca(self):
        return self.cert(self.name)

    def sign(self, name, subject=None, alternatives=None):
        """Makes NAME.crt and NAME.key; again: another one in the same files."""
        request, extra = self.directory / f"{name}.csr", self.directory / f"{name}.ext"
        extra.write_text(f"subjectAltName={alternatives}\n" if alternatives else "")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={subject or name}", "-keyout", self.key(name), "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey",
                      self.key(self.name), "-CAcreateserial", "-days", "2", "-extfile", extra,
                      "-out", self.cert(name))

    def client(self, name=None, alpn=None, verify=True):
        """A context for a client that trusts this authority, and shows NAME's certificate."""
        context = ssl.create_default_context(cafile=self.ca)
        if not verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if name:
            context.load_cert_chain(self.cert(name), self.key(name))
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
