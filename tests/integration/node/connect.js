// node-postgres in the matrix. clients/lines.py says what it reads and writes. Its sslmode is that
// of libpq as far as it goes: there is no `allow`, and `prefer` never goes back to clear text.
"use strict";

const fs = require("fs");
const readline = require("readline");
const { Client } = require("pg");

const CONNECT_MS_MAX = 20000;

function tls({ mode, ca, cert, key }) {
  if (mode === "disable") return false;
  const found = {};
  if (cert) Object.assign(found, { cert: fs.readFileSync(cert), key: fs.readFileSync(key) });
  if (!mode.startsWith("verify")) return { ...found, rejectUnauthorized: false };
  found.ca = fs.readFileSync(ca);
  if (mode === "verify-ca") found.checkServerIdentity = () => undefined;
  return found;
}

function optionsOf({ host, port, user, password, database, direct, bound, ...wish }) {
  const options = { host, port, user, password, database, ssl: tls(wish) };
  options.connectionTimeoutMillis = CONNECT_MS_MAX;
  options.enableChannelBinding = bound;
  if (direct) options.sslnegotiation = "direct";
  return options;
}

// Throws unless the login is bound to the channel.
function demandBinding(connection) {
  const send = connection.sendSASLInitialResponseMessage.bind(connection);
  connection.sendSASLInitialResponseMessage = (mechanism, response) => {
    if (mechanism !== "SCRAM-SHA-256-PLUS") throw new Error("the channel was not bound");
    send(mechanism, response);
  };
}

async function connect(wish) {
  const client = new Client(optionsOf(wish));
  client.on("error", () => undefined); // after the first, which connect() throws
  if (wish.bound) demandBinding(client.connection);
  try {
    await client.connect();
    const { rows } = await client.query({ text: wish.sql, rowMode: "array" });
    const encrypted = Boolean(client.connection.stream.encrypted);
    await client.end();
    return { found: rows[0][0], tls: encrypted };
  } catch (problem) {
    client.connection.stream.destroy();
    return { refused: `${problem.code || ""} ${problem.message}` };
  }
}

async function main() {
  const { version } = require("pg/package.json");
  const told = `${version} on node ${process.versions.node}`;
  console.log(JSON.stringify({ version: told, lacks: ["allow"] }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await connect(JSON.parse(line))));
  }
}

main();
