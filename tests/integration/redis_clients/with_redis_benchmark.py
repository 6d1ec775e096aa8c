"""redis-benchmark among the drivers: what it has done is counted in the server afterwards."""

import subprocess

from rounds import Told, run, same

WAIT_S_MAX = 120
DATABASE = 9  # where it has keys that do not say whose they are
OWN_TESTS = "set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange,mset"


class Driver:
    def __init__(self, told):
        self.told, self.key, self.value = told, told.key, told.value
        self.steps = [self.greeting, self.pipeline, self.many_clients, self.script, self.resp3,
                      self.own_tests, self.large]

    def load(self, *words):
        done = subprocess.run(["redis-benchmark", "-p", str(self.told.port), "-q",
                               *map(str, words)], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.STDOUT, timeout=WAIT_S_MAX, check=False)
        wrong = [line for line in done.stdout.replace("\r", "\n").splitlines()
                 if "rror" in line or "ERR" in line]
        assert done.returncode == 0 and not wrong, f"{words}: {done.stdout[-800:]}"
        assert "requests per second" in done.stdout, done.stdout[-800:]

    def ask(self, *words):
        done = subprocess.run(["redis-cli", "-p", str(self.told.port), *map(str, words)],
                              capture_output=True, text=True, timeout=WAIT_S_MAX, check=True)
        return done.stdout.strip()

    # ---------------------------------------------------------------- steps

    def greeting(self, n):
        self.load("-t", "ping", "-n", 1000, "-c", 20)

    def pipeline(self, n):
        self.load("-n", 3200, "-c", 10, "-P", 16, "INCRBY", self.key(n, "count"), self.told.prime)
        same(self.ask("GET", self.key(n, "count")), str(3200 * self.told.prime))

    def many_clients(self, n):
        self.load("-n", 1000, "-c", 50, "RPUSH", self.key(n, "list"), self.value("x"))
        same(self.ask("LLEN", self.key(n, "list")), "1000")

    def script(self, n):
        self.load("-n", 500, "-c", 5, "EVAL", "return redis.call('incrby', KEYS[1], ARGV[1])", 1,
                  self.key(n, "scripted"), self.told.prime)
        same(self.ask("GET", self.key(n, "scripted")), str(500 * self.told.prime))

    def resp3(self, n):
        self.load("-3", "-n", 1000, "-c", 10, "-P", 4, "HINCRBY", self.key(n, "hash"), "f",
                  self.told.prime)
        same(self.ask("HGET", self.key(n, "hash"), "f"), str(1000 * self.told.prime))

    def own_tests(self, n):
        self.load("-t", OWN_TESTS, "-n", 200, "-c", 5, "-r", 20, "--dbnum", DATABASE)

    def large(self, n):
        self.load("-t", "set,get", "-n", 20, "-c", 2, "-d", 1 << 20, "--dbnum", DATABASE)
        key, = [each for each in self.ask("-n", DATABASE, "KEYS", "key:__rand_int__").split()]
        same(self.ask("-n", DATABASE, "STRLEN", key), str(1 << 20))
        self.ask("-n", DATABASE, "DEL", key)


driver = Driver(Told())
run(driver.told, driver.steps)
