// What node-postgres does by itself: text and binary, named statements, cursors, streams, COPY, cancelling, notices.
// Usage: node node_postgres.js HOST PORT PASSWORD; ends with 0 when all of it held.
const assert = require('node:assert');
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const pg = require('pg');
const Cursor = require('pg-cursor');
const QueryStream = require('pg-query-stream');
const { from: copyFrom, to: copyTo } = require('pg-copy-streams');

const [host, port, password] = process.argv.slice(2);
const where = { host, port: Number(port), user: 'synod', password, database: 'synod' };

async function types(client) {
  const { rows, fields } = await client.query(`select 1::int2 a, 2::int4 b, 3::int8 c, 1.5::float8 d, 12.340::numeric e,
    true f, 'x'::text g, '\\x00ff'::bytea h, '2024-02-29'::date i, '2024-02-29 12:00:00.5+02'::timestamptz j,
    '{"a": [1, null]}'::jsonb k, '{1,2,null}'::int[] l, '{"a b",c}'::text[] m, null::text n, '1 day 02:00'::interval o`);
  const row = rows[0];
  assert.deepStrictEqual([row.a, row.b, row.c, row.d, row.e, row.f, row.g], [1, 2, '3', 1.5, '12.340', true, 'x']);
  assert.deepStrictEqual(row.h, Buffer.from([0, 255]));
  assert.strictEqual(row.j.toISOString(), '2024-02-29T10:00:00.500Z');
  assert.deepStrictEqual([row.k, row.l, row.m, row.n], [{ a: [1, null] }, [1, 2, null], ['a b', 'c'], null]);
  assert.strictEqual(row.o.toPostgres(), '2 hours 1 days');
  assert.deepStrictEqual(fields.map((field) => field.dataTypeID).slice(0, 4), [21, 23, 20, 701]);
  const binary = await client.query({ text: 'select $1::int4 a, $2::text b', values: [7, 'ä'], binary: true });
  assert.deepStrictEqual(binary.rows, [{ a: 7, b: 'ä' }]);
  const sent = await client.query('select $1::jsonb a, $2::int[] b, $3::timestamptz c, $4::bytea d, $5::bool e',
    [{ x: 1 }, [1, 2], new Date(0), Buffer.from('hi'), true]);
  assert.deepStrictEqual(sent.rows[0], { a: { x: 1 }, b: [1, 2], c: new Date(0), d: Buffer.from('hi'), e: true });
}

async function statements(client) {
  await client.query('drop table if exists n; create table n (a serial primary key, b text unique)');
  for (let i = 0; i < 5; i++) {
    const { rows, rowCount, command } = await client.query({ name: 'insert', text: 'insert into n (b) values ($1) returning a', values: ['v' + i] });
    assert.deepStrictEqual([rows, rowCount, command], [[{ a: i + 1 }], 1, 'INSERT']);
  }
  const several = await client.query('select 1 a; select 2 b');
  assert.deepStrictEqual(several.map((result) => result.rows), [[{ a: 1 }], [{ b: 2 }]]);
  assert.deepStrictEqual((await client.query({ text: 'select 1, 2', rowMode: 'array' })).rows, [[1, 2]]);
  await assert.rejects(client.query('insert into n (b) values ($1)', ['v1']), (error) => {
    assert.deepStrictEqual([error.code, error.constraint, error.table, error.schema, error.detail],
      ['23505', 'n_b_key', 'n', 'public', 'Key (b)=(v1) already exists.']);
    return true;
  });
  await assert.rejects(client.query('select nosuch from n'), { code: '42703', position: '8' });
  await client.query('begin');
  await client.query('update n set b = b || $1', ['!']);
  await client.query('rollback');
  assert.strictEqual((await client.query('select count(*)::int c from n where b like $1', ['%!'])).rows[0].c, 0);
}

async function cursors(client) {
  const cursor = client.query(new Cursor('select x from generate_series(1, $1::int) x', [250]));
  const counts = [];
  for (let rows = await cursor.read(100); rows.length; rows = await cursor.read(100)) counts.push(rows.length);
  await cursor.close();
  assert.deepStrictEqual(counts, [100, 100, 50]);
  let sum = 0;
  for await (const row of client.query(new QueryStream('select x from generate_series(1, 1000) x', [], { batchSize: 33 }))) sum += row.x;
  assert.strictEqual(sum, 500500);
}

async function copies(client) {
  await client.query('truncate n');
  await pipeline(Readable.from(['100\tp\n', '101\t\\N\n']), client.query(copyFrom('copy n from stdin')));
  const parts = [];
  const out = client.query(copyTo("copy (select * from n order by a) to stdout (format csv, header)"));
  for await (const part of out) parts.push(part);
  assert.strictEqual(Buffer.concat(parts).toString(), 'a,b\n100,p\n101,\n');
  await assert.rejects(pipeline(Readable.from(['x\ty\n']), client.query(copyFrom('copy n from stdin'))), { code: '22P02' });
}

async function cancelling(client) {
  const other = new pg.Client(where);
  await other.connect();
  const slept = assert.rejects(client.query('select pg_sleep(100)'), { code: '57014' });
  let cancelled = false;
  while (!cancelled)
    cancelled = (await other.query(`select pg_cancel_backend(pid) c from pg_stat_activity
      where pid = $1 and query like 'select pg_sleep%' and state = 'active'`, [client.processID])).rows[0]?.c;
  await slept;
  await other.end();
  const limited = new pg.Client({ ...where, statement_timeout: 200, application_name: 'limited' });
  await limited.connect();
  await assert.rejects(limited.query('select pg_sleep(100)'), { code: '57014' });
  assert.strictEqual((await limited.query('show application_name')).rows[0].application_name, 'limited');
  await limited.end();
}

async function pools() {
  const pool = new pg.Pool({ ...where, max: 4 });
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => pool.query('select $1::int + 1 as a', [i])));
  assert.deepStrictEqual(answers.map((answer) => answer.rows[0].a), Array.from({ length: 40 }, (_, i) => i + 1));
  await pool.end();
}

async function main() {
  for (const ssl of [false, { rejectUnauthorized: false }]) {
    const client = new pg.Client({ ...where, ssl });
    await client.connect();
    const notices = [];
    client.on('notice', (notice) => notices.push(notice.message));
    await client.query('drop table if exists no_such_table');
    assert.deepStrictEqual(notices, ['table "no_such_table" does not exist, skipping']);
    for (const part of [types, statements, cursors, copies, cancelling]) await part(client);
    await client.end();
  }
  await pools();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
