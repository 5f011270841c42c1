// What postgres.js does by itself: its own type query, prepared statements, pipelining, cursors, COPY, cancelling.
// Usage: node postgres_js.js HOST PORT PASSWORD; ends with 0 when all of it held.
const assert = require('node:assert');
const { pipeline } = require('node:stream/promises');
const { Readable } = require('node:stream');
const postgres = require('postgres');

const [host, port, password] = process.argv.slice(2);

async function talk(ssl) {
  const notices = [];
  const sql = postgres({ host, port: Number(port), username: 'synod', password, database: 'synod', ssl, max: 3, onnotice: (notice) => notices.push(notice.message) });
  await sql`drop table if exists no_such_table`;
  assert.deepStrictEqual(notices, ['table "no_such_table" does not exist, skipping']);
  await sql`drop table if exists j`;
  await sql`create table j (a int primary key, b text, c jsonb, d int[], e timestamptz, f bytea, g numeric)`;
  const row = { a: 1, b: 'ä', c: { x: [1] }, d: [1, 2], e: new Date(0), f: Buffer.from([1, 2]), g: '1.50' };
  await sql`insert into j ${sql({ ...row, c: sql.json(row.c) })}`;
  const [back] = await sql`select * from j where a = ${1}`;
  assert.deepStrictEqual({ ...back, f: Buffer.from(back.f) }, row);
  await sql`insert into j ${sql([{ a: 2, b: 'two' }, { a: 3, b: 'three' }], 'a', 'b')}`;
  assert.deepStrictEqual((await sql`select b from j where a in ${sql([2, 3])} order by a`).map((r) => r.b), ['two', 'three']);
  assert.deepStrictEqual((await sql`select a from j where a = any(${[1, 3]}::int[]) order by a`).map((r) => r.a), [1, 3]);
  assert.strictEqual((await sql`update j set b = ${null} where a > 1`).count, 2);
  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => sql`select ${i}::int as i`));
  assert.deepStrictEqual(many.map(([r]) => r.i), Array.from({ length: 50 }, (_, i) => i));
  await assert.rejects(sql`insert into j (a) values (1)`, { code: '23505', constraint_name: 'j_pkey', table_name: 'j' });
  await assert.rejects(sql.begin(async (transaction) => {
    await transaction`delete from j`;
    await transaction.savepoint((savepoint) => savepoint`select 1 / 0`).catch((error) => assert.strictEqual(error.code, '22012'));
    assert.strictEqual((await transaction`select count(*)::int c from j`)[0].c, 0);
    throw new Error('no');
  }), /no/);
  assert.strictEqual((await sql`select count(*)::int c from j`)[0].c, 3);
  const counts = [];
  await sql`select x from generate_series(1, 25) x`.cursor(10, (rows) => { counts.push(rows.length); });
  assert.deepStrictEqual(counts, [10, 10, 5]);
  await pipeline(Readable.from(['10\tp\n', '11\tq\n']), await sql`copy j (a, b) from stdin`.writable());
  const parts = [];
  for await (const part of await sql`copy (select a, b from j where a >= 10 order by a) to stdout`.readable()) parts.push(part);
  assert.strictEqual(Buffer.concat(parts).toString(), '10\tp\n11\tq\n');
  const several = await sql.unsafe('select 1 a; select 2 b');
  assert.deepStrictEqual(several.map((result) => ({ ...result[0] })), [{ a: 1 }, { b: 2 }]);
  const described = await sql`select a, c from j where a = ${1} and d = ${[1]}`.describe();
  assert.deepStrictEqual([described.types, described.columns.map((column) => column.type)], [[23, 1007], [23, 3802]]);
  const slow = sql`select pg_sleep(100)`;
  setTimeout(() => slow.cancel(), 300);
  await assert.rejects(slow, { code: '57014' });
  await sql.end();
}

talk(false).then(() => talk({ rejectUnauthorized: false })).catch((error) => {
  console.error(error);
  process.exit(1);
});
