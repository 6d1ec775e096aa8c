// Holds many conversations at once with node-postgres. stdin: {clients: [{target, transactions:
// [{steps: [{sql, values, name}], keeps, block}]}]}; stdout: for each client and transaction
// {seen: [rows or SQLSTATE], told: {what ParameterStatus said}}.
"use strict";

const fs = require("fs");
const { Client } = require("pg");

async function perform(client, transaction) {
  const seen = [];
  if (transaction.block) await client.query("begin");
  try {
    for (const { sql, values, name } of transaction.steps) {
      const query = { text: sql, rowMode: "array" };
      if (values.length) query.values = values;
      if (name) query.name = name;
      seen.push((await client.query(query)).rows);
    }
  } catch (wrong) {
    seen.push(wrong.code || String(wrong));
  }
  if (transaction.block) await client.query(transaction.keeps ? "commit" : "rollback");
  return seen;
}

async function converse({ target, transactions }) {
  const client = new Client(target);
  const told = {};
  client.connection.on("parameterStatus", (message) => {
    told[message.parameterName] = message.parameterValue;
  });
  await client.connect();
  const found = [];
  for (const transaction of transactions) {
    found.push({ seen: await perform(client, transaction), told: { ...told } });
  }
  await client.end();
  return found;
}

async function main() {
  const { clients } = JSON.parse(fs.readFileSync(0, "utf8"));
  const found = await Promise.all(clients.map(converse));
  process.stdout.write(JSON.stringify(found));
}

main().catch((problem) => {
  console.error(problem);
  process.exitCode = 1;
});
