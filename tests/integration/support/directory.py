"""An LDAP server of the test's own (slapd)."""

import pathlib
import shutil
import subprocess
import tempfile

from .waiting import accepts, eventually, free_port

SLAPD = "/usr/sbin/slapd"
SCHEMAS = pathlib.Path("/etc/ldap/schema")
BASE = "dc=weir,dc=test"
BOSS = f"cn=boss,{BASE}"
BOSS_PASSWORD = "boss-secret"

# Empty passwords and names count as those of nobody, who is let in: as many servers have it.
CONF = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb.la
pidfile {directory}/pid
allow bind_anon_cred bind_anon_dn
TLSCACertificateFile {ca}
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
suffix "{base}"
rootdn "{boss}"
rootpw {boss_password}
directory {directory}/data
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,{base}" by * none
access to * by * read
"""


class Directory:
    host = "127.0.0.1"

    def __init__(self, authority):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="weir-ldap-"))
        (self.path / "data").mkdir()
        authority.sign("ldap", alternatives=f"IP:{self.host}")
        self.port, self.tls_port = free_port(), free_port()
        self.conf = self.path / "slapd.conf"
        self.conf.write_text(CONF.format(
            schemas=SCHEMAS, directory=self.path, base=BASE, boss=BOSS,
            boss_password=BOSS_PASSWORD, ca=authority.ca, cert=authority.cert("ldap"),
            key=authority.key("ldap")))
        self._add(f"dn: {BASE}\nobjectClass: domain\ndc: weir\n")
        for unit in ("people", "staff", "hidden"):
            self._add(f"dn: ou={unit},{BASE}\nobjectClass: organizationalUnit\nou: {unit}\n")
        self.process = None

    def add(self, name, password, unit="people", mail=None):
        """Somebody. Before `start`."""
        self._add(f"dn: uid={name},ou={unit},{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\n"
                  f"cn: {name}\nsn: {name}\nuserPassword: {password}\n"
                  f"mail: {mail or name}@weir.test\n")

    def start(self):
        urls = f"{self.url} ldaps://{self.host}:{self.tls_port}"
        self.process = subprocess.Popen(
            [SLAPD, "-h", urls, "-f", self.conf, "-d", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda: accepts((self.host, self.port)), what="an LDAP server")

    @property
    def url(self):
        return f"ldap://{self.host}:{self.port}"

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
        self.process = None

    def remove(self):
        self.stop()
        shutil.rmtree(self.path)

    def _add(self, entry):
        subprocess.run(["/usr/sbin/slapadd", "-f", self.conf], input=entry, text=True, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
