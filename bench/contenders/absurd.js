// absurd's TypeScript client: do the tasks of queue q0. Made and filled by absurd.py.
"use strict";
const { Absurd } = require("absurd-sdk");
const { Pool } = require("pg");
const { serve } = require("./driver.js");

const QUIET = { log() {}, info() {}, warn() {}, error: console.error };

async function drain({ url, settings }, gate) {
  const { count, steps, concurrency } = settings;
  const pool = new Pool({ connectionString: url, max: concurrency });
  const app = new Absurd({ db: pool, queueName: "q0", log: QUIET });
  let left = count;
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  app.registerTask({ name: "noops" }, async (params, context) => {
    for (let number = 0; number < steps; number++) await context.step(`s${number}`, async () => ({}));
    if (--left === 0) end();
    return params;
  });
  await gate();
  const worker = await app.startWorker({ concurrency, batchSize: concurrency, pollInterval: 0.01 });
  await ended;
  await worker.close(); // waits for what still runs
  return {};
}

serve({ drain });
