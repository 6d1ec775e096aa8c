// node-redis among the drivers; the option "3": in RESP3.
"use strict";

const assert = require("assert").strict;
const { createClient, RESP_TYPES } = require("redis");
const { port, name, prime, options, keyOf, valueOf, pause, range, refused, collector, run, main } =
  require("./rounds.js");

const RESP = options.includes("3") ? 3 : 2;

async function dial(more = {}) {
  const client = createClient({ socket: { host: "127.0.0.1", port, reconnectStrategy: false }, name, RESP, ...more });
  client.on("error", (problem) => {
    throw problem;
  });
  return client.connect();
}

// [[id, value]]: both versions' answers of XREADGROUP about one stream.
function entriesOf(answer) {
  if (RESP === 3) return Object.values(answer)[0].map(([id, fields]) => [id, fields[1]]);
  return answer[0].messages.map(({ id, message }) => [id, message.f]);
}

async function main_() {
  const client = await dial();
  const other = await dial();

  const steps = {
    async greeting() {
      assert.equal(await client.clientGetName(), name);
      const { id, resp } = await client.clientInfo();
      assert.equal(id, await client.clientId());
      assert.equal(resp, RESP);
      assert.equal(await client.ping(), "PONG");
    },
    async pipeline(n) {
      const found = await Promise.all(range(100).flatMap((i) => [
        client.set(keyOf(n, `p${i}`), valueOf(i)), client.get(keyOf(n, `p${i}`)),
        client.strLen(keyOf(n, `p${i}`))]));
      const expected = range(100).flatMap((i) => ["OK", valueOf(i), valueOf(i).length]);
      assert.deepEqual(found, expected);
      const more = await client.multi().get(keyOf(n, "p7")).get(keyOf(n, "none")).execAsPipeline();
      assert.deepEqual(more, [valueOf(7), null]);
    },
    async transaction(n) {
      const key = keyOf(n, "t"), counter = keyOf(n, "count");
      const found = await client.multi().set(key, valueOf("t")).incrBy(counter, prime).get(key).exec();
      assert.deepEqual(found, ["OK", prime, valueOf("t")]);
      await refused(client.multi().incrBy(counter, prime).incr(key).exec(), /commands failed/);
      assert.equal(await client.get(counter), String(2 * prime));
      await refused(client.multi().addCommand(["NOSUCH"]).exec(), /EXECABORT|unknown command/);
    },
    async watch(n) {
      const key = keyOf(n, "w");
      await client.watch(key);
      await other.set(key, valueOf("the other's"));
      await refused(client.multi().set(key, valueOf("mine")).exec(), /WatchError|watched keys/);
      assert.equal(await client.get(key), valueOf("the other's"));
      await client.watch(key);
      assert.deepEqual(await client.multi().set(key, valueOf("mine")).exec(), ["OK"]);
      await client.watch(key);
      await client.unwatch();
    },
    async script(n) {
      const script = `redis.call('set', KEYS[1], ARGV[1]); return {KEYS[1], ARGV[1], ${prime}, 'round ${n}'}`;
      const given = { keys: [keyOf(n, "s")], arguments: [valueOf("scripted")] };
      const expected = [keyOf(n, "s"), valueOf("scripted"), prime, `round ${n}`];
      const sha = require("crypto").createHash("sha1").update(script).digest("hex");
      await refused(client.evalSha(sha, given), /NOSCRIPT/);
      assert.deepEqual(await client.eval(script, given), expected);
      assert.deepEqual(await client.evalSha(sha, given), expected);
    },
    async function(n) {
      const library = `${name.replaceAll("-", "_")}_${n}`;
      const code = `#!lua name=${library}\n` +
        `redis.register_function('${library}', function(keys, args) ` +
        "redis.call('set', keys[1], args[1]) return {keys[1], args[1]} end)";
      assert.equal(await client.functionLoad(code, { REPLACE: true }), library);
      const given = { keys: [keyOf(n, "f")], arguments: [valueOf("called")] };
      assert.deepEqual(await other.fCall(library, given), [keyOf(n, "f"), valueOf("called")]);
      await refused(other.fCall(`${library}_not`, given), /Function not found/);
    },
    async pubsub(n) {
      const subscriber = await dial();
      const messages = collector();
      const channel = keyOf(n, "channel");
      await subscriber.subscribe(channel, (message, from) => messages.add(from, message));
      for (const i of range(20)) assert.equal(await other.publish(channel, valueOf(i)), 1);
      await subscriber.unsubscribe(channel);
      await subscriber.pSubscribe(`${channel}.*`, (message, from) => messages.add(from, message));
      await other.publish(`${channel}.x`, valueOf("by pattern"));
      const expected = range(20).map((i) => [channel, valueOf(i)]);
      assert.deepEqual(await messages.wait(21), [...expected, [`${channel}.x`, valueOf("by pattern")]]);
      await subscriber.pUnsubscribe();
      assert.equal(await subscriber.get(keyOf(n, "none")), null);
      await subscriber.close();
    },
    async blocking(n) {
      const key = keyOf(n, "list");
      const popped = client.blPop(key, 20);
      await pause(50);
      assert.equal(await other.rPush(key, [valueOf("popped"), valueOf("left")]), 2);
      assert.deepEqual({ ...(await popped) }, { key, element: valueOf("popped") });
      assert.deepEqual(await client.lRange(key, 0, -1), [valueOf("left")]);
      assert.equal(await client.blPop(keyOf(n, "none"), 0.05), null);
    },
    async streams(n) {
      const key = keyOf(n, "stream");
      await client.xGroupCreate(key, "g", "0", { MKSTREAM: true });
      const sent = [];
      for (const i of range(10)) sent.push([await other.xAdd(key, "*", { f: valueOf(i) }), valueOf(i)]);
      const wanted = { key, id: ">" };
      assert.deepEqual(entriesOf(await client.xReadGroup("g", "me", wanted, { COUNT: 20 })), sent);
      const waited = client.xReadGroup("g", "me", wanted, { BLOCK: 20000 });
      await pause(50);
      const late = [await other.xAdd(key, "*", { f: valueOf("late") }), valueOf("late")];
      assert.deepEqual(entriesOf(await waited), [late]);
      assert.equal((await client.xPending(key, "g")).pending, 11);
      assert.equal(await client.xAck(key, "g", [...sent, late].map(([id]) => id)), 11);
      assert.equal((await client.xPending(key, "g")).pending, 0);
    },
    async database(n) {
      const key = keyOf(n, "db");
      const far = await dial({ database: 5 });
      await far.set(key, valueOf("in 5"));
      assert.equal(await client.get(key), null);
      await client.select(5);
      assert.equal(await client.get(key), valueOf("in 5"));
      await client.select(0);
      await client.set(key, valueOf("in 0"));
      assert.equal(await far.get(key), valueOf("in 5"));
      await far.close();
    },
    async large(n) {
      const key = keyOf(n, "large");
      const value = Buffer.concat([Buffer.from(valueOf("")), require("crypto").randomBytes(1 << 20)]);
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      assert.equal(await client.set(key, value), "OK");
      assert.ok(value.equals(await binary.get(key)));
      assert.equal(await other.strLen(key), value.length);
    },
  };
  await run(steps, async () => {
    await client.close();
    await other.close();
  });
}

main(main_);
