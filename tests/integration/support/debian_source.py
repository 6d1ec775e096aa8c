"""Sources of Debian packages, fetched with apt-get from where the machine's packages come from."""

import pathlib
import re
import subprocess


def download(package, keep):
    """The archives of `package`, into the folder `keep`."""
    parts, lists = keep / "parts", keep / "lists"
    parts.mkdir(parents=True, exist_ok=True)
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    for source in pathlib.Path("/etc/apt/sources.list.d").glob("*.sources"):
        text = re.sub(r"^Types:.*$", "Types: deb-src", source.read_text(), flags=re.M)
        (parts / source.name).write_text(text)
    for source in [pathlib.Path("/etc/apt/sources.list")]:
        if source.is_file():
            (parts / "old.list").write_text(re.sub(r"^deb ", "deb-src ", source.read_text(), flags=re.M))
    options = ["-q", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={parts.resolve()}",
               "-o", f"Dir::State::lists={lists.resolve()}"]
    subprocess.run(["apt-get", *options, "update"], check=True, capture_output=True)
    found = subprocess.run(["apt-cache", *options, "madison", package], check=True, capture_output=True, text=True)
    versions = [line.split("|")[1].strip() for line in found.stdout.splitlines() if line.endswith("Sources")]
    # Not by itself: the installed version may be newer than all sources.
    subprocess.run(["apt-get", *options, "source", "--download-only", f"{package}={versions[0]}"], cwd=keep, check=True,
                   capture_output=True)
