// tedious against a server: reads a target (support/tds_drivers.py) as JSON, writes what came of
// each step as JSON.
'use strict';
const fs = require('fs');
const {Connection, Request, TYPES, ISOLATION_LEVEL} = require('tedious');

const target = JSON.parse(fs.readFileSync(0, 'utf8'));
const ENCRYPT = {off: false, all: true, strict: 'strict'};

const connection = new Connection({
  server: target.host,
  authentication: {
    type: 'default', options: {userName: target.user, password: target.password}},
  options: {
    port: target.port, database: target.database, appName: target.app,
    encrypt: ENCRYPT[target.encryption], trustServerCertificate: target.encryption !== 'strict',
    serverName: 'localhost', tdsVersion: target.version || '7_4',
    packetSize: target.packet_size || 4096, rowCollectionOnRequestCompletion: true,
    connectTimeout: 10000, requestTimeout: 20000, cancelTimeout: 5000},
});

// A request as a promise of {rows, outputs}; `parameters` are [name, type, value, isOutput].
function ask(sql, {parameters = [], method = 'execSql'} = {}) {
  return new Promise((resolve, reject) => {
    const outputs = {};
    const request = new Request(sql, (error, count, rows) => error ? reject(error) : resolve(
        {outputs, rows: rows.map(row => row.map(column => column.value))}));
    request.on('returnValue', (name, value) => { outputs[name] = value; });
    for (const [name, type, value, isOutput] of parameters) {
      if (isOutput) request.addOutputParameter(name, type, value);
      else request.addParameter(name, type, value);
    }
    connection[method](request);
  });
}

const batch = sql => ask(sql, {method: 'execSqlBatch'});
const value = async sql => (await batch(sql)).rows[0][0];
const done = run => new Promise((resolve, reject) => run(
    (error, found) => error ? reject(error) : resolve(found)));

const steps = {
  who: async () => (await batch('SELECT APP_NAME(), DB_NAME(), SUSER_SNAME()')).rows[0],
  literals: async () =>
      (await batch("SELECT 1 AS a, N'héllo' AS b, CAST(NULL AS int) AS c")).rows[0],
  parameters: async () => (await ask('SELECT @a + 1, @b', {parameters: [
    ['a', TYPES.Int, 5], ['b', TYPES.NVarChar, 'zwei']]})).rows[0],
  two_results: async () => (await batch('SELECT 1 AS a SELECT 2 AS b')).rows.map(row => row[0]),
  transaction: async () => {
    await batch('CREATE TABLE #t (a int)');
    await done(next => connection.beginTransaction(next, 'x', ISOLATION_LEVEL.SERIALIZABLE));
    await batch('INSERT #t VALUES (1)');
    const inside = await value('SELECT @@TRANCOUNT');
    await done(next => connection.rollbackTransaction(next));
    const undone = await value('SELECT COUNT(*) FROM #t');
    await done(next => connection.beginTransaction(next));
    await batch('INSERT #t VALUES (1)');
    await done(next => connection.saveTransaction(next, 'kept'));
    await batch('INSERT #t VALUES (2)');
    await done(next => connection.rollbackTransaction(next, 'kept'));
    await done(next => connection.commitTransaction(next));
    return [inside, undone, await value('SELECT COUNT(*) FROM #t')];
  },
  prepare: async () => {
    const found = [];
    const request = new Request('SELECT @p * 2', () => {});
    request.addParameter('p', TYPES.Int);
    await new Promise(resolve => { request.on('prepared', resolve); connection.prepare(request); });
    for (const p of [1, 2]) {
      const rows = await done(next => {
        request.userCallback = (error, count, rows) => next(error, rows);
        connection.execute(request, {p});
      });
      found.push(rows[0][0].value);
    }
    await done(next => { request.userCallback = next; connection.unprepare(request); });
    return found;
  },
  procedure: async () => {
    await batch('CREATE OR ALTER PROCEDURE with_tedious @a int, @b int OUTPUT AS ' +
                'BEGIN SET @b = @a * 2; RETURN 7; END');
    return (await ask('with_tedious', {method: 'callProcedure', parameters: [
      ['a', TYPES.Int, 4], ['b', TYPES.Int, undefined, true]]})).outputs.b;
  },
  error: async () => {
    const number = await batch('SELECT 1/0').then(() => null, error => error.number);
    return [number, await value('SELECT 5')];
  },
  large: async () => [
    (await value("SELECT REPLICATE(CAST('x' AS varchar(max)), 100000)")).length,
    Number((await ask('SELECT LEN(@s)', {parameters: [
      ['s', TYPES.NVarChar, 'y'.repeat(70000)]]})).rows[0][0])],
  bulk: async () => {
    await batch('CREATE TABLE #b (a int, b nvarchar(50), c datetime)');
    const count = await done(next => {
      const load = connection.newBulkLoad('#b', next);
      load.addColumn('a', TYPES.Int, {nullable: false});
      load.addColumn('b', TYPES.NVarChar, {length: 50, nullable: true});
      load.addColumn('c', TYPES.DateTime, {nullable: true});
      connection.execBulkLoad(load, Array.from({length: 1000}, (_, n) => (
        {a: n, b: n % 2 ? `row ${n}` : null, c: new Date(1e12)})));
    });
    return [count, ...(await batch('SELECT COUNT(b), SUM(a) FROM #b')).rows[0]];
  },
  attention: async () => {
    const code = await new Promise(resolve => {
      const request = new Request("WAITFOR DELAY '00:00:15' SELECT 1", error => resolve(
          error && error.code));
      connection.execSqlBatch(request);
      setTimeout(() => connection.cancel(), 100);
    });
    return [code, await value('SELECT 6')];
  },
  reset: async () => {
    await batch('SET DATEFIRST 3 USE tempdb');
    await done(next => connection.reset(next));
    const gone = await batch('SELECT * FROM #t').then(() => null, error => error.number);
    return [gone, ...(await batch('SELECT @@DATEFIRST, DB_NAME()')).rows[0]];
  },
};

async function main(error) {
  if (error) throw error;
  const found = {};
  for (const [name, step] of Object.entries(steps)) found[name] = await step();
  connection.close();
  process.stdout.write(JSON.stringify(found));
}

connection.connect(error => main(error).catch(problem => {
  process.stderr.write(`${problem.stack} ${JSON.stringify(problem.errors || '')}\n`);
  process.exit(1);
}));
