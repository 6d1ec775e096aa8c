"""Rules that ask a compiler or a formatter."""

import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .findings import Finding
from .floors import FLOORS, floor_of

FORMATTERS = ("clang-format-14", "clang-format")


def formatter():
    for name in FORMATTERS:
        if any(os.access(Path(folder) / name, os.X_OK) for folder in os.environ["PATH"].split(":")):
            return name
    return None


def check_format(tree):
    """Files that clang-format would change."""
    name, paths = formatter(), [source.path for source in tree.cpp()]
    if name is None:
        yield Finding(".clang-format", 1, f"{FORMATTERS[0]} is not installed")
        return
    said = subprocess.run([name, "--dry-run", *paths], cwd=tree.root, capture_output=True, text=True).stderr
    first, count = {}, {}
    for line in said.splitlines():
        path, _, rest = line.partition(":")
        if "code should be clang-formatted" in rest:
            first.setdefault(path, int(rest.split(":")[0]))
            count[path] = count.get(path, 0) + 1
    for path, line in first.items():
        yield Finding(path, line, f"{count[path]} places are not as clang-format writes them")


def reformat(tree):
    name = formatter()
    if name is None:
        raise SystemExit(f"{FORMATTERS[0]} is not installed")
    subprocess.run([name, "-i", *[source.path for source in tree.cpp()]], cwd=tree.root, check=True)


def public_places(floor):
    """Where its public headers are in include/weir: a folder, or files."""
    if floor == "protocol":
        return [f"protocol/{name}.h" for name in ("protocol", "dialogues", "relay")]
    where = FLOORS[floor][0]
    return [where + ".h" if "/" in where else where]


def lay_out_view(root, floor, folder):
    """A folder with links to just those public headers that a floor sees, as cmake/floors.cmake does."""
    view = Path(folder) / floor / "weir"
    seen = [f for f in FLOORS if FLOORS[floor][1] is None or f == floor or f in FLOORS[floor][1]]
    for name in seen:
        for where in public_places(name):
            target = Path(root) / "include/weir" / where
            if target.exists():
                (view / where).parent.mkdir(parents=True, exist_ok=True)
                (view / where).symlink_to(target)
    view.mkdir(parents=True, exist_ok=True)
    return view.parent


def compile_alone(root, view, header):
    command = [os.environ.get("CXX", "g++"), "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra",
               "-DWEIR_VERSION=\"0\"", f"-I{view}", "-I/usr/include/postgresql", "-x", "c++", "-"]
    stub = f'#include "{Path(root) / header}"\n'
    return subprocess.run(command, input=stub, capture_output=True, text=True)


def check_headers(tree):
    """Each header compiles when it is the only one, seeing what its floor sees."""
    headers = [s.path for s in tree.cpp("src/", "include/weir/") if s.path.endswith(".h")]
    with tempfile.TemporaryDirectory(prefix="weir-tidy-") as folder:
        views = {floor: lay_out_view(tree.root, floor, folder)
                 for floor in sorted({floor_of(h) for h in headers} - {None})}
        with ThreadPoolExecutor(int(os.environ.get("WEIR_JOBS", "2"))) as workers:
            outcomes = workers.map(
                lambda h: (h, compile_alone(tree.root, views[floor_of(h)], h)),
                [h for h in headers if floor_of(h)])
            for header, outcome in outcomes:
                if outcome.returncode != 0:
                    said = next((line for line in outcome.stderr.splitlines() if "error" in line), "")
                    yield Finding(header, 1, f"does not compile alone: {said.strip()}")
