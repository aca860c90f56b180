// Does the same things by @neondatabase/serverless through the gateway, and by pg over TCP.
//
// Usage: node cases.js CASE, with DATABASE_URL (of Postgres itself) and GATEWAY (its base URL) in the environment.
// Prints {"neon": …, "pg": …} as JSON: what each of the two has brought.

const { neon, neonConfig, Pool, Client, types } = require('@neondatabase/serverless');
const pg = require('pg');
const ws = require('ws');

const url = process.env.DATABASE_URL;
const gateway = new URL(process.env.GATEWAY);

neonConfig.fetchEndpoint = `${gateway.origin}/sql`;
neonConfig.wsProxy = `${gateway.host}/v2`;
neonConfig.useSecureWebSocket = gateway.protocol === 'https:';
neonConfig.pipelineConnect = false;
neonConfig.webSocketConstructor = ws;

const ERROR_FIELDS = [
  'message', 'code', 'severity', 'detail', 'hint', 'position', 'internalPosition', 'internalQuery', 'where',
  'schema', 'table', 'column', 'dataType', 'constraint', 'file', 'line', 'routine',
];

const errorOf = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return Object.fromEntries(ERROR_FIELDS.map((name) => [name, error[name] ?? null]));
  }
  return 'no error';
};

const resultOf = ({ fields, rows, rowCount, command }) => ({
  fields: fields.map(({ name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier, format }) => ({
    name, tableID, columnID, dataTypeID, dataTypeSize, dataTypeModifier, format,
  })),
  rows,
  rowCount,
  command,
});

const withPg = async (work, Driver = pg.Client) => {
  const client = new Driver(url);
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
};

const VALUES = `
  select true as bool, 1::int2 as int2, -2::int4 as int4, 9007199254740993::int8 as int8, 0.1::float4 as float4,
    1e300::float8 as float8, 'NaN'::float8 as nan, '-Infinity'::float8 as infinity, 1.10::numeric as numeric,
    'ä"\\'''::text as text, E'a\\nb'::varchar(5) as varchar, 'c'::char(3) as bpchar, 'n'::name as name,
    '\\x00ff'::bytea as bytea, '2024-02-29'::date as date, '12:34:56.789'::time as time,
    '2024-02-29 12:34:56.789'::timestamp as timestamp, '2024-02-29 12:34:56.789+02'::timestamptz as timestamptz,
    '1 year 2 days 03:04:05.6'::interval as interval, 'f47ac10b-58cc-4372-a567-0e02b2c3d479'::uuid as uuid,
    '{"a": [1, null, "x"]}'::json as json, '{"b": 1.50}'::jsonb as jsonb, null as null,
    array[1, null, 3] as ints, '[0:1]={1.5,2.5}'::float8[] as floats, array['a"b', null, 'NULL', '', 'c,d'] as texts,
    array[[true, false], [null, true]] as bools, array['{"x": 1}'::jsonb] as jsonbs,
    int4range(1, 5) as range, '10.0.0.1'::inet as inet, row(1, 'x') as record, point(1, 2) as point`;

const ERRORS = [
  ['select 1/0', []],
  ['selec 1', []],
  ['select * from no_such_table', []],
  ["select 'ü', no_such_column", []],
  ['insert into cases_errors values ($1)', [1]],
  ['insert into cases_errors values ($1)', [null]],
  ['insert into cases_errors values ($1)', [-1]],
  ['select $1::int', ['x']],
  ["do $$ begin execute 'select 1 +'; end $$", []],
  ["do $$ begin raise exception 'no' using detail = 'd', hint = 'h', errcode = 'ZZ123'; end $$", []],
];

const cases = {
  async values() {
    const sql = neon(url);
    return { neon: await sql.query(VALUES), pg: await withPg(async (c) => (await c.query(VALUES)).rows) };
  },

  async full_results() {
    const sql = neon(url, { fullResults: true });
    const queries = [
      VALUES,
      'create table cases_full (id serial primary key, name varchar(10) not null)',
      "insert into cases_full (name) values ('a'), ('b') returning *",
      'select * from cases_full where false',
      "update cases_full set name = 'c'",
      'delete from cases_full where id = 1',
      'select 1 as a, 2 as a',
      'drop table cases_full',
    ];
    const ours = [];
    for (const query of queries) ours.push(resultOf(await sql.query(query)));
    const theirs = await withPg(async (c) => {
      const results = [];
      for (const query of queries) results.push(resultOf(await c.query(query)));
      return results;
    });
    // A table that was made twice has two OIDs.
    for (const result of [...ours, ...theirs]) for (const field of result.fields) field.tableID = field.tableID > 0;
    return { neon: ours, pg: theirs };
  },

  async array_mode() {
    const query = "select g, g * 2 as g, 'x' || g from generate_series(1, 3) g";
    const sql = neon(url, { arrayMode: true });
    const [inTransaction] = await sql.transaction([sql.query(query)]);
    const theirs = await withPg(async (c) => (await c.query({ text: query, rowMode: 'array' })).rows);
    return { neon: [await sql.query(query), inTransaction], pg: [theirs, theirs] };
  },

  async template() {
    const sql = neon(url);
    const id = 2;
    const where = sql`where g > ${id} and g <> ${4}`;
    const rows = await sql`select g, ${4} as n from ${sql.unsafe('generate_series(1, 5)')} g ${where}`;
    return { neon: rows, pg: [{ g: 3, n: '4' }, { g: 5, n: '4' }] };
  },

  async parameters() {
    const query = `select $1::int as int, $2::text as text, $3::bool as bool, $4::int[] as ints, $5::text[] as texts,
      $6::jsonb as json, $7::timestamptz as date, $8::bytea as bytes, $9::text as null, $10::float8 as float,
      $11::int[][] as matrix`;
    const params = [
      7, 'ä"\\\'\n', true, [1, null, 3], ['a"b', 'c\\d', null, '', 'NULL', '{}'], { a: [1, 'ü'], b: null },
      new Date('2024-02-29T12:34:56.789Z'), Buffer.from([0, 255, 10]), null, 1.5e-7, [[1, 2], [3, 4]],
    ];
    return {
      neon: await neon(url).query(query, params),
      pg: await withPg(async (c) => (await c.query(query, params)).rows),
    };
  },

  async transaction() {
    const sql = neon(url);
    const settings = sql`select current_setting('transaction_isolation') as level,
      current_setting('transaction_read_only') as read_only, current_setting('transaction_deferrable') as deferrable`;
    const found = [];
    for (const options of [
      {},
      { isolationLevel: 'ReadUncommitted' },
      { isolationLevel: 'RepeatableRead', readOnly: true },
      { isolationLevel: 'Serializable', readOnly: true, deferrable: true },
      { readOnly: false, deferrable: false },
    ]) {
      const [[row]] = await sql.transaction([settings], options);
      found.push([row.level, row.read_only, row.deferrable]);
    }
    await sql`create table cases_transaction (id int primary key)`;
    const [, inserted, counted] = await sql.transaction(
      (tx) => [
        tx`insert into cases_transaction values (1)`,
        tx`insert into cases_transaction values (${2}) returning id`,
        tx`select count(*)::int from cases_transaction`,
      ],
      { fullResults: true },
    );
    const failed = await errorOf(
      sql.transaction([sql`insert into cases_transaction values (3)`, sql`insert into cases_transaction values (1)`]),
    );
    const left = await sql`select id from cases_transaction order by id`;
    const readOnly = await errorOf(sql.transaction([sql`drop table cases_transaction`], { readOnly: true }));
    await sql`drop table cases_transaction`;
    return {
      neon: {
        found, inserted: inserted.rows, command: inserted.command, counted: counted.rows, left,
        failed: failed.code, readOnly: readOnly.code, empty: await sql.transaction([]),
      },
      pg: {
        found: [
          ['read committed', 'off', 'off'],
          ['read uncommitted', 'off', 'off'],
          ['repeatable read', 'on', 'off'],
          ['serializable', 'on', 'on'],
          ['read committed', 'off', 'off'],
        ],
        inserted: [{ id: 2 }], command: 'INSERT', counted: [{ count: 2 }], left: [{ id: 1 }, { id: 2 }],
        failed: '23505', readOnly: '25006', empty: [],
      },
    };
  },

  async errors() {
    const sql = neon(url);
    await sql`create table cases_errors (id int primary key check (id > 0))`;
    await sql`insert into cases_errors values (1)`;
    const ours = [];
    for (const [query, params] of ERRORS) ours.push(await errorOf(sql.query(query, params)));
    const inTransaction = [];
    for (const [query, params] of ERRORS) inTransaction.push(await errorOf(sql.transaction([sql.query(query, params)])));
    const theirs = await withPg(async (c) => {
      const errors = [];
      for (const [query, params] of ERRORS) errors.push(await errorOf(c.query(query, params)));
      return errors;
    });
    await sql`drop table cases_errors`;
    return { neon: [ours, inTransaction], pg: [theirs, theirs] };
  },

  async login_errors() {
    const attempts = [
      (u) => { u.password = 'wrong'; },
      (u) => { u.username = 'nobody'; },
      (u) => { u.pathname = '/no_such_database'; },
    ].map((change) => { const u = new URL(url); change(u); return u.href; });
    const ours = [];
    const theirs = [];
    for (const attempt of attempts) {
      ours.push(await errorOf(neon(attempt)`select 1`));
      const client = new pg.Client(attempt);
      theirs.push(await errorOf(client.connect()));
      await client.end();
    }
    return { neon: ours, pg: theirs };
  },

  async pool() {
    const work = async (pool) => {
      const client = await pool.connect();
      const found = [];
      try {
        await client.query('begin');
        await client.query('create temp table t (id int, name text) on commit preserve rows');
        found.push(resultOf(await client.query('insert into t values ($1, $2), (2, null) returning id', [1, 'ä'])).rows);
        await client.query('savepoint s');
        found.push(await errorOf(client.query('select * from no_such_table')));
        await client.query('rollback to s');
        await client.query('commit');
        found.push((await client.query('select * from t order by id')).rows);
        found.push((await client.query({ text: 'select 1 as a, 2 as a', rowMode: 'array' })).rows);
        found.push((await client.query({ name: 'named', text: 'select $1::int + 1 as n', values: [1] })).rows);
        found.push((await client.query({ name: 'named', text: 'select $1::int + 1 as n', values: [2] })).rows);
        found.push((await client.query('select 1 as a; select 2 as b')).map(({ rows }) => rows));
        const notified = new Promise((resolve) => client.on('notification', ({ channel, payload }) => resolve([channel, payload])));
        await client.query('listen c');
        await client.query("select pg_notify('c', 'hello')");
        found.push(await notified);
        const large = 'x'.repeat(3000000);
        const { rows: [{ length, echo }] } = await client.query('select length($1), $1 as echo', [large]);
        found.push(length, echo === large);
        found.push((await client.query('select sum(length(repeat($1, g))) from generate_series(1, 2000) g', ['y'])).rows);
        const { rows } = await client.query("select g, repeat('z', 100) as z from generate_series(1, 50000) g");
        found.push(rows.length, rows[49999]);
      } finally {
        client.release();
      }
      found.push((await Promise.all([1, 2, 3, 4, 5].map((n) => pool.query('select $1::int as n', [n])))).map(({ rows }) => rows[0].n));
      await pool.end();
      return found;
    };
    return { neon: await work(new Pool({ connectionString: url })), pg: await work(new pg.Pool({ connectionString: url })) };
  },

  async pool_via_fetch() {
    neonConfig.poolQueryViaFetch = true;
    const pool = new Pool({ connectionString: url });
    const { rows, command, rowCount } = await pool.query('select $1::int as n', [1]);
    await pool.end();
    return { neon: [rows, command, rowCount], pg: [[{ n: 1 }], 'SELECT', 1] };
  },

  async addresses() {
    const { hostname, port } = new URL(url);
    const query = async () => {
      const client = new Client(url);
      client.on('error', () => {});
      try {
        await client.connect();
      } catch (event) {
        return event.message; // there is nothing to end
      }
      const { rows } = await client.query('select 1 as n');
      await client.end();
      return rows;
    };
    const found = [];
    for (const proxy of [`${gateway.host}/v1`, `${gateway.host}/v2`, () => `${gateway.host}/v2`, () => `${gateway.host}/v1?address=localhost:${port}`]) {
      neonConfig.wsProxy = proxy;
      found.push(await query());
    }
    neonConfig.wsProxy = () => `${gateway.host}/v2?address=${hostname}:1`;
    const refused = await query();
    return { neon: [found, refused.includes('403')], pg: [Array(4).fill([{ n: 1 }]), true] };
  },

  async terminated() {
    const work = (client) => errorOf(client.query('select pg_terminate_backend(pg_backend_pid())'));
    const code = async (Driver) => {
      const client = new Driver(url);
      client.on('error', () => {});
      await client.connect();
      const { code, severity } = await work(client);
      await client.end();
      return { code, severity };
    };
    return { neon: await code(Client), pg: await code(pg.Client) };
  },

  async aborted() {
    const controller = new AbortController();
    const sql = neon(url, { fetchOptions: { signal: controller.signal } });
    const sleeping = "select count(*)::int as n from pg_stat_activity where state = 'active' and query like '%cases_aborted%' and pid <> pg_backend_pid()";
    const count = (c) => c.query(sleeping).then(({ rows }) => rows[0].n);
    const failed = errorOf(sql`select pg_sleep(60) as cases_aborted`);
    return withPg(async (c) => {
      while ((await count(c)) === 0);
      controller.abort();
      const { message } = await failed;
      while ((await count(c)) > 0);
      return { neon: message.includes('abort'), pg: true };
    });
  },
};

const plain = (key, value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value);

cases[process.argv[2]]().then(
  (results) => console.log(JSON.stringify(results, plain)),
  (error) => {
    console.error(error);
    process.exitCode = 1;
  },
);
