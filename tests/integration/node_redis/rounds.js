// What with_node_redis.js and with_ioredis.js share. ../redis_clients/rounds.py says what such a
// program is told and what it prints.
"use strict";

const [port, name, prime, rounds, ...options] = process.argv.slice(2);

const told = { port: Number(port), name, prime: Number(prime), rounds: Number(rounds), options };

const keyOf = (round, what) => `${name}:${round}:${what}`;
const valueOf = (what) => `${name} ${what}`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const range = (count) => [...Array(count).keys()];

// Rejects with what it was refused with; resolves when it was refused as it should.
async function refused(promise, pattern) {
  const found = await promise.then((answer) => `answered ${JSON.stringify(answer)}`, (error) => error);
  if (!(found instanceof Error) || !pattern.test(`${found.name} ${found.message}`)) {
    throw new Error(`not refused with ${pattern}: ${found}`);
  }
}

// As many as `count` messages, in the order in which they come.
function collector() {
  const found = [];
  return {
    add: (...message) => found.push(message),
    async wait(count) {
      for (let tries = 0; found.length < count; ++tries) {
        if (tries > 2000) throw new Error(`only ${JSON.stringify(found)} of ${count} have come`);
        await pause(10);
      }
      return found;
    },
  };
}

async function run(steps, close) {
  for (const round of range(told.rounds)) {
    for (const [step, perform] of Object.entries(steps)) {
      await perform(round);
      console.log(`${round} ${step}`);
    }
  }
  await close();
  console.log("done");
}

function main(perform) {
  perform().catch((problem) => {
    console.error(problem);
    process.exit(1);
  });
}

module.exports = { ...told, keyOf, valueOf, pause, range, refused, collector, run, main };
