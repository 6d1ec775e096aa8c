// ioredis among the drivers.
"use strict";

const assert = require("assert").strict;
const crypto = require("crypto");
const { Redis } = require("ioredis");
const { port, name, prime, keyOf, valueOf, pause, range, refused, collector, run, main } =
  require("./rounds.js");

function dial(more = {}) {
  const client = new Redis({ host: "127.0.0.1", port, connectionName: name, retryStrategy: null,
                             maxRetriesPerRequest: 0, ...more });
  client.on("error", (problem) => {
    throw problem;
  });
  return client;
}

// What exec() says of commands that all went well.
function answersOf(results) {
  return results.map(([problem, answer]) => {
    if (problem) throw problem;
    return answer;
  });
}

const entriesOf = (answer) => answer[0][1].map(([id, fields]) => [id, fields[1]]);

async function main_() {
  const client = dial();
  const other = dial();

  const steps = {
    async greeting() {
      assert.equal(await client.client("GETNAME"), name);
      assert.match(await client.client("INFO"), new RegExp(`^id=${await client.client("ID")} .* resp=2`, "s"));
      assert.equal(await client.ping(), "PONG");
    },
    async pipeline(n) {
      const pipeline = client.pipeline();
      for (const i of range(100)) {
        const key = keyOf(n, `p${i}`);
        pipeline.set(key, valueOf(i)).get(key).strlen(key);
      }
      const expected = range(100).flatMap((i) => ["OK", valueOf(i), valueOf(i).length]);
      assert.deepEqual(answersOf(await pipeline.exec()), expected);
      const [[wrong], [, right]] =
        await client.pipeline().incr(keyOf(n, "p7")).get(keyOf(n, "none")).exec();
      assert.match(String(wrong), /not an integer/);
      assert.equal(right, null);
    },
    async transaction(n) {
      const key = keyOf(n, "t"), counter = keyOf(n, "count");
      const found = await client.multi().set(key, valueOf("t")).incrby(counter, prime).get(key).exec();
      assert.deepEqual(answersOf(found), ["OK", prime, valueOf("t")]);
      await client.multi({ pipeline: false }); // each command waits for its answer
      assert.equal(await client.incrby(counter, prime), "QUEUED");
      assert.equal(await client.incr(key), "QUEUED");
      const [[, sum], [wrong]] = await client.exec();
      assert.equal(sum, 2 * prime);
      assert.match(String(wrong), /not an integer/);
      await client.multi({ pipeline: false });
      assert.equal(await client.incrby(counter, prime), "QUEUED");
      assert.equal(await client.discard(), "OK");
      assert.equal(await client.get(counter), String(2 * prime));
    },
    async watch(n) {
      const key = keyOf(n, "w");
      await client.watch(key);
      await other.set(key, valueOf("the other's"));
      assert.equal(await client.multi().set(key, valueOf("mine")).exec(), null);
      assert.equal(await client.get(key), valueOf("the other's"));
      await client.watch(key);
      assert.deepEqual(answersOf(await client.multi().set(key, valueOf("mine")).exec()), ["OK"]);
      await client.watch(key);
      await client.unwatch();
    },
    async script(n) {
      const lua = `redis.call('set', KEYS[1], ARGV[1]); return {KEYS[1], ARGV[1], ${prime}, 'round ${n}'}`;
      const given = [keyOf(n, "s"), valueOf("scripted")];
      const expected = [...given, prime, `round ${n}`];
      const sha = crypto.createHash("sha1").update(lua).digest("hex");
      await refused(client.evalsha(sha, 1, ...given), /NOSCRIPT/);
      client.defineCommand(`scripted${n}`, { numberOfKeys: 1, lua }); // EVALSHA, and EVAL behind NOSCRIPT
      assert.deepEqual(await client[`scripted${n}`](...given), expected);
      assert.deepEqual(await client[`scripted${n}`](...given), expected);
      assert.deepEqual(await other.evalsha(sha, 1, ...given), expected);
    },
    async function(n) {
      const library = `${name}_${n}`;
      const code = `#!lua name=${library}\n` +
        `redis.register_function('${library}', function(keys, args) ` +
        "redis.call('set', keys[1], args[1]) return {keys[1], args[1]} end)";
      assert.equal(await client.function("LOAD", "REPLACE", code), library);
      const given = [keyOf(n, "f"), valueOf("called")];
      assert.deepEqual(await other.fcall(library, 1, ...given), given);
      await refused(other.fcall(`${library}_not`, 1, ...given), /Function not found/);
    },
    async pubsub(n) {
      const subscriber = dial();
      const messages = collector();
      const channel = keyOf(n, "channel");
      subscriber.on("message", (...message) => messages.add(...message));
      subscriber.on("pmessage", (_pattern, ...message) => messages.add(...message));
      assert.equal(await subscriber.subscribe(channel), 1);
      for (const i of range(20)) assert.equal(await other.publish(channel, valueOf(i)), 1);
      assert.equal(await subscriber.psubscribe(`${channel}.*`), 2);
      await other.publish(`${channel}.x`, valueOf("by pattern"));
      const expected = range(20).map((i) => [channel, valueOf(i)]);
      assert.deepEqual(await messages.wait(21), [...expected, [`${channel}.x`, valueOf("by pattern")]]);
      assert.equal(await subscriber.unsubscribe(channel), 1);
      assert.equal(await subscriber.punsubscribe(`${channel}.*`), 0);
      assert.equal(await subscriber.get(keyOf(n, "none")), null);
      await subscriber.quit();
    },
    async blocking(n) {
      const key = keyOf(n, "list");
      const popped = client.blpop(key, 20);
      await pause(50);
      assert.equal(await other.rpush(key, valueOf("popped"), valueOf("left")), 2);
      assert.deepEqual(await popped, [key, valueOf("popped")]);
      assert.deepEqual(await client.lrange(key, 0, -1), [valueOf("left")]);
      assert.equal(await client.blpop(keyOf(n, "none"), 0.05), null);
    },
    async streams(n) {
      const key = keyOf(n, "stream");
      const wanted = ["GROUP", "g", "me"];
      await client.xgroup("CREATE", key, "g", "0", "MKSTREAM");
      const sent = [];
      for (const i of range(10)) sent.push([await other.xadd(key, "*", "f", valueOf(i)), valueOf(i)]);
      const found = await client.xreadgroup(...wanted, "COUNT", 20, "STREAMS", key, ">");
      assert.deepEqual(entriesOf(found), sent);
      const waited = client.xreadgroup(...wanted, "BLOCK", 20000, "STREAMS", key, ">");
      await pause(50);
      const late = [await other.xadd(key, "*", "f", valueOf("late")), valueOf("late")];
      assert.deepEqual(entriesOf(await waited), [late]);
      assert.equal((await client.xpending(key, "g"))[0], 11);
      assert.equal(await client.xack(key, "g", ...[...sent, late].map(([id]) => id)), 11);
      assert.equal((await client.xpending(key, "g"))[0], 0);
    },
    async database(n) {
      const key = keyOf(n, "db");
      const far = dial({ db: 5 });
      await far.set(key, valueOf("in 5"));
      assert.equal(await client.get(key), null);
      await client.select(5);
      assert.equal(await client.get(key), valueOf("in 5"));
      await client.select(0);
      await client.set(key, valueOf("in 0"));
      assert.equal(await far.get(key), valueOf("in 5"));
      await far.quit();
    },
    async large(n) {
      const key = keyOf(n, "large");
      const value = Buffer.concat([Buffer.from(valueOf("")), crypto.randomBytes(1 << 20)]);
      assert.equal(await client.set(key, value), "OK");
      assert.ok(value.equals(await client.getBuffer(key)));
      assert.equal(await other.strlen(key), value.length);
    },
  };
  await run(steps, async () => {
    await client.quit();
    await other.quit();
  });
}

main(main_);
