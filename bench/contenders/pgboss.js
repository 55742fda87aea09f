// pg-boss: every task that bench/contenders/trials.py asks for.
"use strict";
const PgBoss = require("pg-boss");
const { serve, fill, trickle, arrivals, PRODUCERS } = require("./driver.js");

const QUEUE = "q";

async function started(url) {
  const boss = new PgBoss({ connectionString: url, max: PRODUCERS });
  boss.on("error", console.error);
  await boss.start();
  return boss;
}

async function install({ url }, gate) {
  await gate();
  await (await started(url)).createQueue(QUEUE);
  return {};
}

async function enqueue({ url, settings }, gate) {
  const boss = await started(url);
  await gate();
  const job = (n) => ({ name: QUEUE, data: { n } });
  await fill(settings, (n) => boss.send(QUEUE, { n }), (numbers) => boss.insert(numbers.map(job)));
  return {};
}

async function drain({ url, settings }, gate) {
  const boss = await started(url);
  const loop = async () => {
    for (;;) {
      const jobs = await boss.fetch(QUEUE, { batchSize: settings.fetched });
      if (!jobs.length) return;
      await boss.complete(QUEUE, jobs.map((job) => job.id));
    }
  };
  await gate();
  await Promise.all(Array.from({ length: settings.fetchers }, loop));
  return {};
}

async function attend({ url, settings }, gate) {
  const boss = await started(url);
  const { note, all } = arrivals(settings);
  await gate();
  const options = { pollingIntervalSeconds: settings.poll_s, batchSize: 50 };
  await boss.work(QUEUE, options, async (jobs) => jobs.forEach((job) => note(job.data.at)));
  return all;
}

async function even({ url, settings }, gate) {
  const boss = await started(url);
  await gate();
  await trickle(settings, (at) => boss.send(QUEUE, { at }));
  return {};
}

serve({ install, fill: enqueue, drain, attend, trickle: even });
