"""What a rule says, and the tree that it looks at."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .source import Source

TEXT = (".cpp", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yaml", ".yml", ".ini", ".cfg",
        ".conf", ".c", ".service", ".sql", ".html", ".css", ".js", "")
RULES = {}


@dataclass
class Finding:
    path: str
    line: int
    text: str
    is_warning: bool = False


def rule(name):
    """Registers a function tree -> findings under a name."""
    def register(function):
        RULES[name] = function
        return function
    return register


class Tree:
    """The files of a repository by their path, as they lie in the work tree."""

    def __init__(self, texts, root=None):
        self.root = root
        self.sources = {path: Source(path, text) for path, text in sorted(texts.items())}

    @classmethod
    def of(cls, root):
        return cls(dict(read_all(root)), root)

    def __iter__(self):
        return iter(self.sources.values())

    def cpp(self, *folders):
        """The C++ files below the folders; all of them without one."""
        return [s for s in self if s.is_cpp and (not folders or s.path.startswith(folders))]


def names_in(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(set(filter(None, listed.stdout.split("\0"))))
    return sorted(str(path.relative_to(root)) for path in Path(root).rglob("*")
                  if path.is_file() and not {"build", ".git"} & set(path.relative_to(root).parts))


def read_all(root):
    for name in names_in(root):
        path = Path(root) / name
        if path.suffix not in TEXT or path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        try:
            yield name, data.decode()
        except UnicodeDecodeError:
            continue
