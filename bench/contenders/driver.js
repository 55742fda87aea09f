// A contender's own process on Node, seen from inside: what bench/contenders/child.py is for Python.
//
// The first line of the input is {task, url, settings}. The task gets ready, awaits its gate, which says so and waits
// for the second line, does the work, and its answer is the last line of the output. Then the process stays, for its
// memory and time are read only now; it ends with its input. What a peer prints goes to the errors.
"use strict";
const fs = require("node:fs");
const readline = require("node:readline");

console.log = console.info = console.debug = console.error;

exports.serve = (tasks) => {
  const lines = readline.createInterface({ input: process.stdin });
  const say = (text) => fs.writeSync(1, text + "\n");
  const fail = (error) => {
    console.error(error);
    process.exit(1);
  };
  let open;
  const opened = new Promise((resolve) => (open = resolve));
  const gate = () => {
    say("ready");
    return opened;
  };
  process.on("uncaughtException", fail);
  lines.on("close", () => process.exit(1));
  lines.once("line", (first) => {
    lines.on("line", open);
    const ask = JSON.parse(first);
    tasks[ask.task](ask, gate).then((answer) => say(JSON.stringify(answer)), fail);
  });
};

// Enqueue the numbers below `count`: one by one, or lists of `batch`; from some producers either way.
exports.fill = async ({ count, batch }, one, many) => {
  let next = 0;
  const produce = async () => {
    while (next < count) await one(next++);
  };
  if (batch === 1) return Promise.all(Array.from({ length: exports.PRODUCERS }, produce));
  const produceMany = async () => {
    while (next < count) {
      const first = next;
      next += batch;
      await many(Array.from({ length: Math.min(batch, count - first) }, (_, place) => first + place));
    }
  };
  return Promise.all(Array.from({ length: exports.BULK_PRODUCERS }, produceMany));
};

// Enqueue `count` jobs at an even `rate`, each with the moment at which it was, in milliseconds.
exports.trickle = async ({ count, rate }, enqueue) => {
  const begun = exports.now();
  for (let number = 0; number < count; number++) {
    const wait = begun + (1000 * number) / rate - exports.now();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, wait)));
    await enqueue(exports.now());
  }
};

// Note how long each of `count` jobs has waited; `all` is fulfilled with the answer when the last is there.
exports.arrivals = ({ count }) => {
  const waited = [];
  let complete;
  const all = new Promise((resolve) => (complete = resolve));
  const note = (at) => {
    if (waited.push(exports.now() - at) === count) complete({ waited_ms: waited });
  };
  return { note, all };
};

exports.now = () => performance.timeOrigin + performance.now();
exports.PRODUCERS = 16;
exports.BULK_PRODUCERS = 4;
