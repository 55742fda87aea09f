"""`python -P -m bench.contenders`: install the peers that run on Node, then say what is missing of each peer."""

from __future__ import annotations

import sys

from bench.cases import Unable
from bench.contenders import absurd, dbos, graphile, node, pgboss, pgqueuer, procrastinate

PEERS = (absurd, dbos, graphile, pgboss, pgqueuer, procrastinate)


def main() -> int:
    """Return 0 when nothing is missing."""
    try:
        print(f"Node: {node.prepare()}")
    except Unable as error:
        print(f"Node: {error}")
    found = {peer.__name__.rpartition(".")[2]: peer.missing() for peer in PEERS}
    for name, missing in found.items():
        print(f"{name}: {missing or 'there'}")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
