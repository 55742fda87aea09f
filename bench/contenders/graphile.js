// graphile-worker: every task that bench/contenders/trials.py asks for.
"use strict";
const { run, runMigrations, makeWorkerUtils, Logger } = require("graphile-worker");
const { serve, fill, trickle, arrivals, PRODUCERS } = require("./driver.js");

const logger = new Logger(() => () => {});

const preset = (url, { concurrency, local_queue, complete_delay_ms }) => ({
  worker: {
    connectionString: url,
    concurrentJobs: concurrency,
    maxPoolSize: concurrency + 1,
    logger,
    ...(local_queue ? { localQueue: { size: local_queue, refetchDelay: { durationMs: 10 } } } : {}),
    ...(complete_delay_ms === undefined
      ? {}
      : { completeJobBatchDelay: complete_delay_ms, failJobBatchDelay: complete_delay_ms }),
  },
});

const start = (url, settings, taskList) => run({ preset: preset(url, settings), taskList, noHandleSignals: true });

const producer = (url) => makeWorkerUtils({ connectionString: url, logger, maxPoolSize: PRODUCERS });

async function install({ url }, gate) {
  await gate();
  await runMigrations({ connectionString: url, logger });
  return {};
}

async function enqueue({ url, settings }, gate) {
  const utils = await producer(url);
  await gate();
  const job = (n) => ({ identifier: "noop", payload: { n } });
  await fill(settings, (n) => utils.addJob("noop", { n }), (numbers) => utils.addJobs(numbers.map(job)));
  return {};
}

async function drain({ url, settings }, gate) {
  let left = settings.count;
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  const noop = async () => {
    if (--left === 0) end();
  };
  await gate();
  const runner = await start(url, settings, { noop });
  await ended;
  await runner.stop(); // completes what waits for its batch
  return {};
}

async function attend({ url, settings }, gate) {
  const { note, all } = arrivals(settings);
  await gate();
  await start(url, settings, { note: async ({ at }) => note(at) });
  return all;
}

async function even({ url, settings }, gate) {
  const utils = await producer(url);
  await gate();
  await trickle(settings, (at) => utils.addJob("note", { at }));
  return {};
}

serve({ install, fill: enqueue, drain, attend, trickle: even });
