"""redis-cli among the drivers, as scripts and people use it; the option "3": in RESP3."""

import hashlib
import os
import re
import subprocess
import time

from rounds import Told, library, run, same, script

END = "-- end --"
TOOK_LONG = re.compile(r"\(\d+\.\d+s\)")  # what it says behind an answer that was half a second in coming
WAIT_S_MAX = 60


class Driver:
    def __init__(self, told):
        self.told, self.key, self.value = told, told.key, told.value
        self.options = ["-3"] if "3" in told.options else []
        self.client, self.other = Dialogue(self), Dialogue(self)
        self.steps = [self.greeting, self.pipeline, self.transaction, self.watch, self.script,
                      self.function, self.pubsub, self.blocking, self.streams, self.database,
                      self.large]

    def command(self, *words):
        return ["redis-cli", "-p", str(self.told.port), *self.options, *map(str, words)]

    def start(self, *words):
        return subprocess.Popen(["stdbuf", "-oL", *self.command(*words)], text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT)

    def once(self, *words, given=b""):
        """What it prints when another program reads it."""
        done = subprocess.run(self.command(*words), input=given, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=WAIT_S_MAX, check=False)
        assert done.returncode == 0, f"{words}: exit code {done.returncode}: {done.stdout[-500:]}"
        return done.stdout

    def lines(self, *words, given=b""):
        return self.once(*words, given=given).decode().splitlines()

    # ---------------------------------------------------------------- steps

    def greeting(self, n):
        same(self.client.say(f"CLIENT SETNAME {self.told.name}"), ["OK"])
        same(self.client.say("CLIENT GETNAME"), [f'"{self.told.name}"'])
        info = " ".join(self.client.say("CLIENT INFO"))
        assert f" name={self.told.name} " in info, info
        assert f"resp={3 if self.options else 2}" in info, info
        same(self.lines("PING"), ["PONG"])

    def pipeline(self, n):
        batch = b""
        for i in range(200):
            words = [b"SET", self.key(n, f"p{i}").encode(), self.value(i).encode()]
            batch += b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in words)
        found = self.lines("--pipe", given=batch)
        same(found[-1], "errors: 0, replies: 200")
        keys = [self.key(n, f"p{i}") for i in range(200)]
        same(self.lines("MGET", *keys), [self.value(i) for i in range(200)])

    def transaction(self, n):
        key, counter, prime = self.key(n, "t"), self.key(n, "count"), self.told.prime
        same(self.client.line("MULTI"), "OK")
        same(self.client.line(f'SET {key} "{self.value("t")}"'), "QUEUED")
        same(self.client.line(f"INCRBY {counter} {prime}"), "QUEUED")
        same(self.client.line(f"INCR {key}"), "QUEUED")
        found = self.client.say("EXEC")
        same(found[:2], ["1) OK", f"2) (integer) {prime}"])
        assert "not an integer" in found[2] and len(found) == 3, found
        same(self.client.line("MULTI"), "OK")
        same(self.client.line(f"INCRBY {counter} {prime}"), "QUEUED")
        same(self.client.say("DISCARD"), ["OK"])
        same(self.client.say(f"GET {counter}"), [f'"{prime}"'])

    def watch(self, n):
        key = self.key(n, "w")
        for others in (True, False):
            same(self.client.say(f"WATCH {key}"), ["OK"])
            if others:
                same(self.other.say(f'SET {key} "{self.value("the others")}"'), ["OK"])
            same(self.client.line("MULTI"), "OK")
            same(self.client.line(f'SET {key} "{self.value("mine")}"'), "QUEUED")
            same(self.client.say("EXEC"), ["(nil)"] if others else ["1) OK"])
            same(self.other.say(f"GET {key}"),
                 [f'"{self.value("the others" if others else "mine")}"'])

    def script(self, n):
        text, key, value = script(self.told, n), self.key(n, "s"), self.value("scripted")
        sha = hashlib.sha1(text.encode()).hexdigest()
        expected = [key, value, str(self.told.prime), f"round {n}"]
        refusal = self.client.say(f'EVALSHA {sha} 1 {key} "{value}"')
        assert refusal[0].startswith("(error) NOSCRIPT"), refusal
        same(self.lines("EVAL", text, 1, key, value), expected)
        same(self.lines("EVALSHA", sha, 1, key, value), expected)

    def function(self, n):
        name, text = library(self.told, n)
        key, value = self.key(n, "f"), self.value("called")
        same(self.lines("-x", "FUNCTION", "LOAD", "REPLACE", given=text.encode()), [name])
        same(self.lines("FCALL", name, 1, key, value), [key, value])

    def pubsub(self, n):
        channel = self.key(n, "channel")
        listener = self.start("SUBSCRIBE", channel)
        try:
            def heard():
                return [listener.stdout.readline().rstrip("\n") for _ in range(3)]

            same(heard(), ["subscribe", channel, "1"])
            for i in range(20):
                same(self.other.say(f'PUBLISH {channel} "{self.value(i)}"'), ["(integer) 1"])
            for i in range(20):
                same(heard(), ["message", channel, self.value(i)])
        finally:
            listener.kill()
            listener.wait()

    def blocking(self, n):
        key = self.key(n, "list")
        waits = self.start("BLPOP", key, 20)
        time.sleep(0.05)
        same(self.other.say(f'RPUSH {key} "{self.value("popped")}" "{self.value("left")}"'),
             ["(integer) 2"])
        same(waits.communicate(timeout=WAIT_S_MAX)[0].splitlines(), [key, self.value("popped")])
        same(self.lines("LRANGE", key, 0, -1), [self.value("left")])
        same(self.client.say(f"BLPOP {self.key(n, 'none')} 0.05"), ["(nil)"])

    def streams(self, n):
        key = self.key(n, "stream")

        def add(what):
            number, = self.other.say(f'XADD {key} * f "{self.value(what)}"')
            return [number.strip('"'), "f", self.value(what)]

        same(self.client.say(f"XGROUP CREATE {key} g 0 MKSTREAM"), ["OK"])
        sent = [add(i) for i in range(10)]
        found = self.client.say(f"XREADGROUP GROUP g me COUNT 20 STREAMS {key} >")
        same(re.findall(r'"([^"]*)"', "\n".join(found)), [key, *sum(sent, [])])
        waits = self.start("XREADGROUP", "GROUP", "g", "me", "BLOCK", 20_000, "STREAMS", key, ">")
        time.sleep(0.05)
        late = add("late")
        found = waits.communicate(timeout=WAIT_S_MAX)[0]  # maps and arrays look different
        same(found.split(), " ".join([key, *late]).split())
        numbers = " ".join(one[0] for one in [*sent, late])
        same(self.client.say(f"XACK {key} g {numbers}"), ["(integer) 11"])
        same(self.client.say(f"XPENDING {key} g")[0], "1) (integer) 0")

    def database(self, n):
        key = self.key(n, "db")
        same(self.lines("-n", 5, "SET", key, self.value("in 5")), ["OK"])
        same(self.client.say(f"GET {key}"), ["(nil)"])
        same(self.client.say("SELECT 5"), ["OK"])
        same(self.client.say(f"GET {key}"), [f'"{self.value("in 5")}"'])
        same(self.client.say("SELECT 0"), ["OK"])
        same(self.client.say(f'SET {key} "{self.value("in 0")}"'), ["OK"])
        same(self.lines("-n", 5, "GET", key), [self.value("in 5")])

    def large(self, n):
        value = self.value("").encode() + os.urandom(1 << 20)
        same(self.once("-x", "SET", self.key(n, "large"), given=value), b"OK\n")
        assert self.once("GET", self.key(n, "large")) == value + b"\n"


class Dialogue:
    """One redis-cli that is told line after line, and prints as it does for a person."""

    def __init__(self, driver):
        self.process = subprocess.Popen(
            ["stdbuf", "-oL", *driver.command()], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "FAKETTY": "1"})

    def line(self, command):
        """The first line of the answer; there are no others within MULTI."""
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.read()

    def read(self):
        found = self.process.stdout.readline()
        assert found, "it has ended"
        found = found.rstrip("\n")
        return self.read() if TOOK_LONG.fullmatch(found) else found

    def say(self, command):
        """All lines of the answer."""
        found = [self.line(f'{command}\nECHO "{END}"')]
        while found[-1] != f'"{END}"':
            found.append(self.read())
        return found[:-1]

    def close(self):
        self.process.communicate("QUIT\n", timeout=WAIT_S_MAX)


driver = Driver(Told())
run(driver.told, driver.steps)
driver.client.close()
driver.other.close()
