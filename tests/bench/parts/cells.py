"""The cells: one kind of load each. A cell runs through one target and yields a Sample."""

import fnmatch
from dataclasses import dataclass


@dataclass(frozen=True)
class Cell:
    name: str
    title: str
    mode: str = "simple"          # pgbench's query mode
    clients: int = 1
    connect: bool = False         # a connection for each transaction
    copy: str = ""                # "out" or "in"
    row_bytes: int = 0
    tls: str = ""                 # "client": between client and proxy; "both": to the server as well

    @property
    def needs_session(self):
        """Whether a pooler without support for prepared statements needs session mode."""
        return self.mode == "prepared"

    def suits(self, target):
        """HAProxy forwards TCP: it cannot answer PostgreSQL's request for TLS."""
        return not (self.tls and target == "haproxy")

    @property
    def copy_statement(self):
        if self.copy == "out":
            return f"COPY rows_{self.row_bytes} TO STDOUT"
        return "COPY sink FROM STDIN WHERE false"  # parsed by the server, stored nowhere


def _all_cells():
    cells = []
    for mode in ("simple", "extended", "prepared"):
        for clients in (1, 16, 64):
            cells.append(Cell(f"{mode}-{clients}", f"{mode} c={clients}", mode, clients))
    cells.append(Cell("connect-4", "connect per transaction c=4", clients=4, connect=True))
    for way in ("out", "in"):
        for size, rows in ((100, "100 B"), (8000, "8 kB")):
            short = "8k" if size == 8000 else str(size)
            cells.append(Cell(f"copy-{way}-{short}", f"COPY {way}, {rows} rows", copy=way, row_bytes=size))
    for mode in ("simple", "prepared"):
        for tls in ("client", "both"):
            cells.append(Cell(f"{mode}-16-tls-{tls}", f"{mode} c=16, TLS {tls}", mode, 16, tls=tls))
    return cells


ALL_CELLS = _all_cells()


def choose(patterns):
    """Cells whose name matches one of the comma-separated patterns; 'none' gives none."""
    wanted = [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]
    if wanted == ["none"]:
        return []
    for pattern in wanted:
        if not any(fnmatch.fnmatch(cell.name, pattern) for cell in ALL_CELLS):
            raise SystemExit(f"no cell matches {pattern!r}; there are: "
                             + ", ".join(cell.name for cell in ALL_CELLS))
    return [cell for cell in ALL_CELLS if any(fnmatch.fnmatch(cell.name, w) for w in wanted)]
