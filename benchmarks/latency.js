// The laps of `latency.py` by a JavaScript driver; see `apart.py` for how they are reported.
//
// Usage: node latency.js DRIVER ENDPOINT OPERATION..., with DATABASE_URL in the environment. DRIVER is websocket, http or
// pg; ENDPOINT is the base URL of the gateway. For pg over TLS, the CA's file is in NODE_EXTRA_CA_CERTS.

const readline = require('readline');
const { neon, neonConfig, Client } = require('@neondatabase/serverless');
const pg = require('pg');
const ws = require('ws');

const [driver, endpoint, ...operations] = process.argv.slice(2);
const url = process.env.DATABASE_URL;

const ofClient = (client) => ({
  connect: async () => {
    await client.connect();
    await client.query('SELECT 1');
  },
  statement: () => client.query('SELECT 1'),
  transaction: async () => {
    await client.query('BEGIN');
    for (let n = 0; n < 3; n++) await client.query('SELECT 1');
    await client.query('COMMIT');
  },
  close: () => client.end(),
});

const DRIVERS = {
  // As PlanetScale says to set it up.
  websocket: () => {
    const gateway = new URL(endpoint);
    neonConfig.wsProxy = `${gateway.host}/v2`;
    neonConfig.useSecureWebSocket = gateway.protocol === 'https:';
    neonConfig.pipelineConnect = false;
    neonConfig.webSocketConstructor = ws;
    return ofClient(new Client(url));
  },
  http: () => {
    neonConfig.fetchEndpoint = `${endpoint}/sql`;
    const sql = neon(url);
    return {
      connect: () => sql.query('SELECT 1'),
      statement: () => sql.query('SELECT 1'),
      transaction: () => sql.transaction((txn) => [1, 2, 3].map(() => txn.query('SELECT 1'))),
      close: () => {},
    };
  },
  pg: () => ofClient(new pg.Client({ connectionString: url, ssl: endpoint.startsWith('https:') })),
};

const main = async () => {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const report = async (lap) => {
    console.log(JSON.stringify(lap));
    await lines.next();
  };
  const connection = DRIVERS[driver]();
  if (!operations.includes('connect')) await connection.connect();
  await report(null);
  for (const name of operations) {
    const start = process.hrtime.bigint();
    await connection[name]();
    await report({ name, wall: Number(process.hrtime.bigint() - start) / 1e9 });
  }
  await connection.close();
  process.exit(0);
};

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
