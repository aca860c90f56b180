// Makes calls of the query function of @neondatabase/serverless through the gateway.
//
// Usage: node calls.js, with DATABASE_URL (of Postgres itself) and GATEWAY (its base URL) in the environment. Each line
// of standard input is a call, the JSON of {method, query, params, queries, options, defaults}; in a query for the method
// "template", %s stands where a template has an expression. For each it prints a line: {"value": …} or {"error": …}.

const readline = require('readline');
const { neon, neonConfig } = require('@neondatabase/serverless');

neonConfig.fetchEndpoint = `${new URL(process.env.GATEWAY).origin}/sql`;

const ERROR_FIELDS = [
  'message', 'code', 'severity', 'detail', 'hint', 'position', 'internalPosition', 'internalQuery', 'where',
  'schema', 'table', 'column', 'dataType', 'constraint', 'file', 'line', 'routine',
];

const template = (sql, query, params) => {
  const strings = query.split('%s');
  strings.raw = strings;
  return sql(strings, ...params);
};

const METHODS = {
  template: (sql, { query, params }) => template(sql, query, params),
  query: (sql, { query, params, options }) => sql.query(query, params, options),
  transaction: (sql, { queries, options }) =>
    sql.transaction(queries.map(({ query, params }) => template(sql, query, params)), options),
  function: (sql, { queries, options }) =>
    sql.transaction((txn) => queries.map(({ query, params }) => txn.query(query, params)), options),
};

const outcome = async (call) => {
  try {
    return { value: await METHODS[call.method](neon(process.env.DATABASE_URL, call.defaults), call) };
  } catch (error) {
    return { error: Object.fromEntries(ERROR_FIELDS.map((name) => [name, error[name] ?? null])) };
  }
};

const plain = (key, value) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value);

const main = async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await outcome(JSON.parse(line)), plain));
  }
};

main();
