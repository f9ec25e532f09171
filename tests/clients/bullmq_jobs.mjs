// BullMQ's job scripts, unchanged, doing their job: queues, workers, delays, retries, flows.
//
//   PORT=6379 node --test bullmq_jobs.mjs     with bullmq and ioredis installed beside it, on an empty server
import assert from "node:assert/strict";
import { test } from "node:test";
import { FlowProducer, Queue, QueueEvents, Worker } from "bullmq";

const connection = { host: "127.0.0.1", port: Number(process.env.PORT), maxRetriesPerRequest: null };

/** Runs a body with a queue, its events and a worker, and closes them all. */
async function withWorker(name, handle, options, body) {
  const queue = new Queue(name, { connection });
  const events = new QueueEvents(name, { connection });
  await events.waitUntilReady();
  const worker = new Worker(name, handle, { connection, ...options });
  try {
    await body(queue, events, worker);
  } finally {
    await worker.close();
    await events.close();
    await queue.close();
  }
}

const finished = (jobs, events) => Promise.all(jobs.map((job) => job.waitUntilFinished(events, 20_000)));

test("jobs are done and their results kept", async () => {
  await withWorker("square", async (job) => job.data.n ** 2, { concurrency: 4 }, async (queue, events) => {
    const data = Array.from({ length: 50 }, (_, n) => ({ name: "n", data: { n, text: "\u20ac\"\\" } }));
    const jobs = await queue.addBulk(data);
    assert.deepEqual(await finished(jobs, events), data.map(({ data: { n } }) => n * n));
    assert.equal((await queue.getJobCounts()).completed, 50);
    const kept = await queue.getJob(jobs[7].id);
    assert.deepEqual([kept.data.n, kept.data.text, kept.returnvalue], [7, "\u20ac\"\\", 49]);
  });
});

test("a failed job is tried again after a pause and then kept as failed", async () => {
  let attempts = 0;
  const handle = async () => {
    attempts += 1;
    throw new Error("no luck");
  };
  await withWorker("failing", handle, {}, async (queue, events) => {
    const job = await queue.add("f", {}, { attempts: 3, backoff: { type: "fixed", delay: 20 } });
    await assert.rejects(job.waitUntilFinished(events, 20_000), /no luck/);
    assert.equal(attempts, 3);
    assert.equal(await job.getState(), "failed");
    assert.equal((await queue.getFailed())[0].failedReason, "no luck");
  });
});

test("priorities and delays decide the order", async () => {
  const order = [];
  const queue = new Queue("ordered", { connection });
  await queue.add("late", {}, { delay: 300 });
  await queue.add("low", {}, { priority: 10 });
  await queue.add("high", {}, { priority: 1 });
  await queue.add("first", {});
  assert.equal(await queue.getDelayedCount(), 1);
  await queue.close();
  await withWorker("ordered", async (job) => order.push(job.name), {}, async (queue, events) => {
    const [late] = await queue.getJobs(["delayed"]);
    await late.waitUntilFinished(events, 20_000);
    assert.deepEqual(order, ["first", "high", "low", "late"]);
  });
});

test("a job of one id is added once, and removed", async () => {
  const queue = new Queue("once", { connection });
  await queue.add("a", { n: 1 }, { jobId: "same" });
  await queue.add("a", { n: 2 }, { jobId: "same" });
  assert.equal(await queue.getWaitingCount(), 1);
  assert.equal((await queue.getJob("same")).data.n, 1);
  await queue.remove("same");
  assert.equal(await queue.getWaitingCount(), 0);
  await queue.pause();
  assert.equal(await queue.isPaused(), true);
  await queue.obliterate({ force: true });
  await queue.close();
});

test("a parent waits for its children and has their results", async () => {
  const flow = new FlowProducer({ connection });
  const handle = async (job) => {
    if (job.name !== "parent") return job.data.n;
    const values = Object.values(await job.getChildrenValues());
    return values.reduce((sum, n) => sum + n, 0);
  };
  await withWorker("family", handle, {}, async (queue, events) => {
    const children = [1, 2, 3, 4].map((n) => ({ name: "child", queueName: "family", data: { n } }));
    const { job } = await flow.add({ name: "parent", queueName: "family", children });
    assert.equal(await job.waitUntilFinished(events, 20_000), 10);
  });
  await flow.close();
});

test("a limiter lets a few through at a time", async () => {
  const options = { limiter: { max: 5, duration: 200 } };
  await withWorker("limited", async () => Date.now(), options, async (queue, events) => {
    const jobs = await queue.addBulk(Array.from({ length: 12 }, () => ({ name: "n", data: {} })));
    const times = await finished(jobs, events);
    assert.ok(Math.max(...times) - Math.min(...times) >= 300, `${times}`);
  });
});
