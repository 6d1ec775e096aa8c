"""redis-py among the drivers; the option "decode": answers are text."""

import hashlib
import os
import threading
import time

import redis

from rounds import Told, library, run, same, script


class Driver:
    def __init__(self, told):
        self.told, self.key, self.value = told, told.key, told.value
        self.decodes = "decode" in told.options
        self.client, self.other = self.dial(), self.dial()
        self.steps = [self.greeting, self.pipeline, self.transaction, self.watch, self.script,
                      self.function, self.pubsub, self.blocking, self.streams, self.database,
                      self.large]

    def dial(self, **more):
        return redis.Redis(**{"host": "127.0.0.1", "port": self.told.port, "socket_timeout": 40,
                              "client_name": self.told.name, "decode_responses": self.decodes,
                              "health_check_interval": 1, **more})

    def seen(self, text):
        """As an answer comes."""
        return text if self.decodes else text.encode()

    def mine(self, what):
        return self.seen(self.value(what))

    def meanwhile(self, work, act):
        """What `work()` has found, which waits until `act()` was done."""
        found = []
        thread = threading.Thread(target=lambda: found.append(work()))
        thread.start()
        time.sleep(0.05)
        done = act()
        thread.join(30)
        assert found, "it still waits, or has failed"
        return found[0], done

    # ---------------------------------------------------------------- steps

    def greeting(self, n):
        with self.dial(single_connection_client=True) as one:
            same(one.client_getname(), self.told.name)
            same(int(one.client_info()["id"]), one.client_id())
            same(one.client_info()["name"], self.told.name)
            assert one.ping()

    def pipeline(self, n):
        expected = []
        with self.client.pipeline(transaction=False) as pipe:
            for i in range(100):
                key = self.key(n, f"p{i}")
                pipe.set(key, self.value(i)).get(key).strlen(key)
                expected += [True, self.mine(i), len(self.value(i))]
            same(pipe.execute(), expected)
            pipe.incr(self.key(n, "p7")).get(self.key(n, "none"))
            wrong, right = pipe.execute(raise_on_error=False)
            assert "not an integer" in str(wrong) and right is None

    def transaction(self, n):
        key, counter, prime = self.key(n, "t"), self.key(n, "count"), self.told.prime
        with self.client.pipeline() as pipe:
            pipe.set(key, self.value("t")).incrby(counter, prime).get(key)
            same(pipe.execute(), [True, prime, self.mine("t")])
            pipe.incrby(counter, prime).incr(key)
            total, wrong = pipe.execute(raise_on_error=False)
            same(total, 2 * prime)
            assert "not an integer" in str(wrong)
            pipe.execute_command("NOSUCH")
            try:
                pipe.execute()
                raise AssertionError("no error")
            except redis.ResponseError as refusal:
                assert "unknown command" in str(refusal), refusal
        same(self.client.get(counter), self.seen(str(2 * prime)))

    def watch(self, n):
        key = self.key(n, "w")
        with self.client.pipeline() as pipe:
            pipe.watch(key)
            same(pipe.get(key), None)
            self.other.set(key, self.value("the other's"))
            pipe.multi()
            pipe.set(key, self.value("mine"))
            try:
                pipe.execute()
                raise AssertionError("nothing was noticed")
            except redis.WatchError:
                pass
            same(self.client.get(key), self.mine("the other's"))
            pipe.watch(key)
            pipe.multi()
            pipe.set(key, self.value("mine")).get(key)
            same(pipe.execute(), [True, self.mine("mine")])
            pipe.watch(key)
            pipe.unwatch()

    def script(self, n):
        text, key, value = script(self.told, n), self.key(n, "s"), self.value("scripted")
        expected = [self.seen(key), self.mine("scripted"), self.told.prime, self.seen(f"round {n}")]
        try:
            self.client.evalsha(hashlib.sha1(text.encode()).hexdigest(), 1, key, value)
            raise AssertionError("nobody has loaded it")
        except redis.exceptions.NoScriptError:
            pass
        scripted = self.client.register_script(text)  # loads it behind NOSCRIPT
        same(scripted(keys=[key], args=[value]), expected)
        same(self.other.evalsha(scripted.sha, 1, key, value), expected)
        same(self.other.eval(text, 1, key, value), expected)

    def function(self, n):
        name, text = library(self.told, n)
        key = self.key(n, "f")
        same(self.client.execute_command("FUNCTION", "LOAD", "REPLACE", text), self.seen(name))
        same(self.other.fcall(name, 1, key, self.value("called")),
             [self.seen(key), self.mine("called")])

    def pubsub(self, n):
        channel = self.key(n, "channel")

        def next_of(kind):
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                found = listener.get_message(timeout=1)  # None: also for the answer to its PING
                if found and found["type"] == kind:
                    return found
            raise AssertionError(f"no {kind}")

        with self.client.pubsub() as listener:
            listener.subscribe(channel)
            same(next_of("subscribe")["data"], 1)
            for i in range(20):
                same(self.other.publish(channel, self.value(i)), 1)
            for i in range(20):
                found = next_of("message")
                same([found["channel"], found["data"]], [self.seen(channel), self.mine(i)])
            listener.psubscribe(f"{channel}.*")
            same(next_of("psubscribe")["data"], 2)
            self.other.publish(f"{channel}.x", self.value("by pattern"))
            same(next_of("pmessage")["data"], self.mine("by pattern"))
            listener.unsubscribe()
            same(next_of("unsubscribe")["data"], 1)
            listener.punsubscribe()
            same(next_of("punsubscribe")["data"], 0)

    def blocking(self, n):
        key = self.key(n, "list")
        popped, length = self.meanwhile(
            lambda: self.client.blpop([key], timeout=20),
            lambda: self.other.rpush(key, self.value("popped"), self.value("left")))
        same([popped, length], [(self.seen(key), self.mine("popped")), 2])
        same(self.client.lrange(key, 0, -1), [self.mine("left")])
        same(self.client.blpop([self.key(n, "none")], timeout=0.05), None)

    def streams(self, n):
        key = self.key(n, "stream")

        def add(what):
            number = self.other.xadd(key, {"f": self.value(what)})
            return number, {self.seen("f"): self.mine(what)}

        def read(**how):
            return self.client.xreadgroup("g", "me", {key: ">"}, **how)

        self.client.xgroup_create(key, "g", "0", mkstream=True)
        sent = [add(i) for i in range(10)]
        same(read(count=20), [[self.seen(key), sent]])
        found, late = self.meanwhile(lambda: read(block=20_000), lambda: add("late"))
        same(found, [[self.seen(key), [late]]])
        same(self.client.xpending(key, "g")["pending"], 11)
        same(self.client.xack(key, "g", *(number for number, _ in [*sent, late])), 11)
        same(self.client.xpending(key, "g")["pending"], 0)

    def database(self, n):
        key = self.key(n, "db")
        with self.dial(db=5) as far, self.dial(single_connection_client=True) as one:
            assert far.set(key, self.value("in 5"))
            same(one.get(key), None)
            assert one.select(5)
            same(one.get(key), self.mine("in 5"))
            assert one.select(0)
            assert one.set(key, self.value("in 0"))
            same(far.get(key), self.mine("in 5"))

    def large(self, n):
        key = self.key(n, "large")
        value = self.value("").encode() + os.urandom(1 << 20)
        if self.decodes:
            value = self.value("") + value.hex()[:1 << 20]
        assert self.client.set(key, value)
        same(self.other.strlen(key), len(value))
        assert self.client.get(key) == value


driver = Driver(Told())
run(driver.told, driver.steps)
