"""The goals that --check compares with. All are ratios or bytes, none is an absolute time."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    cell: str
    rival: str
    most: float


CPU_GOALS = [
    Goal("simple-16", "pgbouncer", 0.92),
    Goal("simple-64", "pgbouncer", 0.80),
    Goal("copy-out-100", "pgbouncer", 0.75),
    Goal("copy-out-8k", "pgbouncer", 0.90),
    Goal("prepared-16", "haproxy", 1.05),
]
IDLE_CLIENT_KB_MAX = 1.25


def verdict(measured, most):
    if measured is None:
        return "not measured"
    return "met" if measured <= most else "missed"


def check(results, memory):
    """Lines of (goal, measured, limit, verdict) as text."""
    lines = []
    for goal in CPU_GOALS:
        ratio = results.ratio(goal.cell, "weir", goal.rival, "cpu") if results else None
        measured = ratio.median if ratio else None
        lines.append((f"CPU weir/{goal.rival}, {goal.cell}", _number(measured), f"≤ {goal.most:.2f}",
                      verdict(measured, goal.most)))
    weir, pgbouncer = memory.get("weir"), memory.get("pgbouncer")
    text = f"{_number(weir)} KB (pgbouncer {_number(pgbouncer)} KB)"
    lines.append(("memory per idle client", text, f"≤ {IDLE_CLIENT_KB_MAX} KB",
                  verdict(weir, IDLE_CLIENT_KB_MAX)))
    return lines


def _number(value):
    return "–" if value is None else f"{value:.2f}"
