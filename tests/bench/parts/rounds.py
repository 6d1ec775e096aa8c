"""Interleaved rounds and what is computed from them."""

import sys
from collections import defaultdict
from dataclasses import dataclass
from statistics import mean, median

from .loads import LoadError
from .services import ServiceError


@dataclass
class Ratio:
    median: float
    least: float
    most: float


class Results:
    """Samples by cell, target and round; a run that failed leaves a hole."""

    def __init__(self):
        self.samples = defaultdict(dict)     # (cell, target) -> {round: Sample}
        self.calls = {}                      # (cell, target) -> system calls for each unit
        self.failures = []
        self.notes = []

    def value(self, cell, target, field):
        """The median over the rounds; of user and system time, which are coarse, the mean."""
        values = [getattr(sample, field) for sample in self.samples[cell, target].values()]
        values = [value for value in values if value is not None]
        if not values:
            return None
        return mean(values) if field in ("user", "system") else median(values)

    def ratio(self, cell, target, rival, field):
        """The median of the ratios of the same rounds."""
        ratios = []
        for number, sample in self.samples[cell, target].items():
            other = self.samples[cell, rival].get(number)
            if other and getattr(other, field) and getattr(sample, field) is not None:
                ratios.append(getattr(sample, field) / getattr(other, field))
        return Ratio(median(ratios), min(ratios), max(ratios)) if ratios else None

    def add(self, other):
        """Takes over what was measured of other cells."""
        self.samples.update(other.samples)
        self.calls.update(other.calls)
        self.failures += other.failures
        self.notes += other.notes

    def fail(self, cell, target, problem):
        self.failures.append(" ".join(f"{cell.name}, {target}: {problem}".split()))
        print(f"FAILED {self.failures[-1]}", file=sys.stderr)


def run_cells(runner, cells, rounds):
    results = Results()
    for cell in cells:
        _each(runner, results, cell, runner.stack.targets, runner.warm)
        for number in range(rounds):
            _one_round(runner, results, cell, number)
        _count_calls(runner, results, cell)
    return results


def _one_round(runner, results, cell, number):
    targets = runner.stack.targets
    turn = number % len(targets)
    done = _each(runner, results, cell, targets[turn:] + targets[:turn], runner.run)
    for target, sample in done.items():
        results.samples[cell.name, target][number] = sample
    shown = "  ".join(f"{target} {sample.rate:.0f}/s" + (f" {sample.cpu:.2f}" if sample.cpu else "")
                      for target, sample in sorted(done.items()))
    print(f"{cell.name} round {number + 1}: {shown}", file=sys.stderr)


def _count_calls(runner, results, cell):
    done = _each(runner, results, cell, runner.stack.targets, runner.system_calls)
    for target, calls in done.items():
        results.calls[cell.name, target] = calls


def _each(runner, results, cell, targets, action):
    """Does one thing with every target; a failure is written down and the others go on."""
    done = {}
    for target in targets:
        try:
            done[target] = action(cell, target)
        except (LoadError, ServiceError, OSError, ValueError) as error:
            results.fail(cell, target, error)
        try:
            words = runner.stack.revive(target)
            if words:
                results.fail(cell, target, words)
        except (ServiceError, OSError) as error:
            results.fail(cell, target, error)
    return done
