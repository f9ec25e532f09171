#!/usr/bin/env node
// A session of ioredis, as an application would have it: pipelines, publish and subscribe, loops of WATCH.
//
//   tests/clients/ioredis_session.js [SERVER]     default: target/release/carnelian-server
//
// NODE_PATH says where ioredis is. Starts the server on a free port in a scratch directory and ends it
// afterwards.
'use strict';
const assert = require('node:assert/strict');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { after, afterEach, before, beforeEach, test } = require('node:test');
const Redis = require('ioredis');

const PATIENCE_MS = 20_000;
const binary = process.argv[2]
  || path.join(__dirname, '../../target/release/carnelian-server');
let port, folder, server, clients;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function freePort() {
  return new Promise((resolve) => {
    const listener = net.createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = listener.address();
      listener.close(() => resolve(free));
    });
  });
}

function client(options = {}) {
  const made = new Redis({ port, host: '127.0.0.1', ...options });
  clients.push(made);
  return made;
}

async function until(what, condition) {
  const deadline = Date.now() + PATIENCE_MS;
  while (!await condition()) {
    assert.ok(Date.now() < deadline, `waited in vain for ${what}`);
    await pause(5);
  }
}

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carnelian-client-'));
  port = await freePort();
  const words = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--dir', folder];
  server = spawn(binary, words.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  server.stdout.on('data', (text) => { log += text; });
  await until('the server', () => log.includes('Ready to accept connections'));
});

after(() => {
  server.kill();
  fs.rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  clients = [];
  await client().flushall();
});

afterEach(() => clients.forEach((made) => made.disconnect()));

test('commands in a row are pipelined by themselves', async () => {
  const r = client({ enableAutoPipelining: true });
  const replies = await Promise.all(Array.from({ length: 1000 }, (_, n) => r.incrby('n', n)));
  assert.equal(replies.at(-1), 499_500);
});

test('a pipeline has a reply or an error for each command', async () => {
  const r = client();
  const replies = await r.pipeline().set('k', 'v').lpush('k', 'x').get('k').hset('h', { a: 1, b: 2 })
    .hgetall('h').exec();
  assert.deepEqual(replies.map(([error]) => error && error.message), [
    null, 'WRONGTYPE Operation against a key holding the wrong kind of value', null, null, null,
  ]);
  assert.deepEqual(replies.map(([, reply]) => reply), ['OK', undefined, 'v', 2, { a: '1', b: '2' }]);
});

test('a large pipeline of binary values comes back whole and in order', async () => {
  const r = client();
  const values = Array.from({ length: 3000 }, (_, n) => Buffer.alloc(1 + (n * 37) % 5000, n % 256));
  const set = r.pipeline();
  values.forEach((value, n) => set.set(`k${n}`, value));
  await set.exec();
  const get = r.pipeline();
  values.forEach((_, n) => get.getBuffer(`k${n}`));
  const replies = await get.exec();
  replies.forEach(([error, value], n) => assert.ok(!error && value.equals(values[n]), `k${n}`));
});

test('a transaction in a pipeline replies at its end', async () => {
  const r = client();
  assert.deepEqual(await r.multi().set('k', 1).incr('k').get('k').exec(),
    [[null, 'OK'], [null, 2], [null, '2']]);
  const broken = r.multi().set('k', 'v').call('nosuch').exec();
  await assert.rejects(broken, /EXECABORT Transaction discarded because of previous errors/);
  assert.equal(await r.get('k'), '2');
});

test('loops of WATCH lose no update', async () => {
  const rounds = 50;
  let retries = 0;
  const increment = async (r) => {
    for (;;) {
      await r.watch('n');
      const n = Number(await r.get('n') ?? 0);
      const done = await r.multi().set('n', n + 1).exec();
      if (done) return;
      retries += 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, async () => {
    const r = client();
    for (let round = 0; round < rounds; round += 1) await increment(r);
  }));
  assert.equal(await client().get('n'), String(8 * rounds));
  assert.ok(retries > 0, 'clients got into each other\'s way');
});

test('UNWATCH, and a change of the own client, decide over EXEC', async () => {
  const [r, other] = [client(), client()];
  await r.watch('k');
  await other.set('k', 'theirs');
  await r.unwatch();
  assert.deepEqual(await r.multi().get('k').exec(), [[null, 'theirs']]);
  await r.watch('k');
  await r.set('k', 'mine');
  assert.equal(await r.multi().get('k').exec(), null);
});

test('messages come to channels and patterns in order', async () => {
  const [sub, pub] = [client(), client()];
  const got = [];
  sub.on('message', (channel, message) => got.push([channel, message]));
  sub.on('pmessage', (pattern, channel, message) => got.push([pattern, channel, message]));
  assert.equal(await sub.subscribe('news', 'other'), 2);
  assert.equal(await sub.psubscribe('n*'), 3);
  assert.deepEqual(await pub.pubsub('NUMSUB', 'news', 'none'), ['news', 1, 'none', 0]);
  for (let n = 0; n < 500; n += 1) pub.publish('news', String(n));
  await until('the messages', () => got.length === 1000);
  assert.deepEqual(got, Array.from({ length: 500 }, (_, n) => [
    ['news', String(n)], ['n*', 'news', String(n)],
  ]).flat());
  assert.equal(await sub.unsubscribe('news', 'other'), 1);
  assert.equal(await sub.punsubscribe('n*'), 0);
  assert.equal(await pub.publish('news', 'x'), 0);
  assert.equal(await sub.ping(), 'PONG');
});

test('shard channels and binary messages', async () => {
  const [sub, pub] = [client(), client()];
  const message = new Promise((resolve) => {
    sub.on('smessageBuffer', (channel, bytes) => resolve([channel.toString(), bytes]));
  });
  await sub.ssubscribe('shard');
  assert.equal(await pub.spublish('shard', Buffer.from([0, 255, 13, 10])), 1);
  assert.deepEqual(await message, ['shard', Buffer.from([0, 255, 13, 10])]);
});

test('a client that was cut off subscribes again', async () => {
  const [sub, pub] = [client({ retryStrategy: () => 10 }), client()];
  await sub.subscribe('news');
  const got = [];
  sub.on('message', (_, message) => got.push(message));
  assert.equal(await pub.client('KILL', 'TYPE', 'pubsub'), 1);
  await until('the subscription', async () => (await pub.publish('news', 'again')) === 1);
  await until('the message', () => got.includes('again'));
});

test('waiting commands and scans', async () => {
  const [r, other] = [client(), client()];
  const popped = r.blpop('l', 5);
  await until('the wait', async () => /blocked_clients:1/.test(await other.info('clients')));
  await other.rpush('l', 'x');
  assert.deepEqual(await popped, ['l', 'x']);
  await r.mset(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`k${n}`, n])));
  const found = new Set();
  for await (const keys of r.scanStream({ match: 'k*', count: 50 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 300);
});
