"""What the drivers of test_32_redis_drivers.py have in common, whatever their language.

    PROGRAM PORT NAME PRIME ROUNDS [OPTION...]

In each round a driver performs all steps and says "ROUND STEP" behind each; at the end it says
"done". Its keys are NAME:ROUND:WHAT and its values begin with NAME and a space; its counters hold
multiples of PRIME, which is nobody else's. So whatever is in the server tells whose it is.
"""

import sys


class Told:
    """What a program was told on its command line."""

    def __init__(self):
        port, self.name, prime, rounds, *self.options = sys.argv[1:]
        self.port, self.prime, self.rounds = int(port), int(prime), int(rounds)

    def key(self, n, what):
        return f"{self.name}:{n}:{what}"

    def value(self, what):
        return f"{self.name} {what}"


def library(told, n):
    """A function of its own: its name, and its text."""
    name = f"{told.name.replace('-', '_')}_{n}"
    return name, (f"#!lua name={name}\nredis.register_function('{name}', function(keys, args) "
                  "redis.call('set', keys[1], args[1]) return {keys[1], args[1]} end)")


def script(told, n):
    return ("redis.call('set', KEYS[1], ARGV[1]); "
            f"return {{KEYS[1], ARGV[1], {told.prime}, 'round {n}'}}")


def same(found, expected):
    assert found == expected, f"{str(found)[:2000]} is not {str(expected)[:2000]}"


def run(told, steps):
    for n in range(told.rounds):
        for step in steps:
            step(n)
            print(n, step.__name__, flush=True)
    print("done", flush=True)
