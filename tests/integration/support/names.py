"""`Names`: what names of hosts stand for, for one process, without a name server: getaddrinfo() is
replaced by `getaddrinfo.c`."""

import os
import pathlib
import shutil
import subprocess
import tempfile

SOURCE = pathlib.Path(__file__).with_name("getaddrinfo.c")


class Names:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-names-"))
        self.library = self.directory / "getaddrinfo.so"
        self.hosts, self.log = self.directory / "hosts", self.directory / "lookups"
        self.known = {}
        subprocess.run([os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O1", "-o", self.library,
                        SOURCE, "-ldl"], check=True)
        self.set()

    @property
    def environment(self):
        """Of the process that is to know these names. AddressSanitizer wants to be first, but need
        not be."""
        options = f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0"
        return {**os.environ, "LD_PRELOAD": str(self.library), "ASAN_OPTIONS": options.strip(":"),
                "WEIR_TEST_HOSTS": str(self.hosts), "WEIR_TEST_LOOKUPS": str(self.log)}

    def set(self, **known):
        """`set(db="127.0.0.2 127.0.0.3")`: db.test has these addresses; or "AGAIN", "HANGS", or
        None: it does not exist. Other names stay as they are."""
        self.known.update(known)
        lines = [f"{name}.test {what}\n" for name, what in self.known.items() if what]
        fresh = self.hosts.with_suffix(".new")
        fresh.write_text("".join(lines))
        fresh.replace(self.hosts)

    def lookups(self, name="db"):
        """How often it was asked for."""
        asked = self.log.read_text().split() if self.log.exists() else []
        return asked.count(f"{name}.test")

    def remove(self):
        shutil.rmtree(self.directory)
