"""Those who are measured beside Stepwell: yardsticks, the limit, and other queues and engines on the same server.

One module a peer, named after it. Its functions return contenders: `steps(n)` (processes of n no-op steps, each durable
before the next begins), `jobs()` (a drain of no-op jobs), `pickup()` (from enqueueing to an idle worker's handler),
`starts()` (enqueueing). What a peer has no equivalent for, its module has not.

Invariants:
- A peer runs in child processes (`crew`, `child`, `driver.js`), which end with the harness; only its child imports it.
- Only public interfaces of a peer are called, with the settings that its documentation or measurements give for speed.
- Every trial asks the database whether all the work is there: who lost work has no rate.
"""
