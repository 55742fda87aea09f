"""`python -m tests.docs.made` writes the pages; with `--check` it says which are not as it would write them."""

from __future__ import annotations

import sys

from tests.docs.made.pages import outdated, write


def main(arguments: list[str]) -> int:
    """Return the exit code."""
    if arguments == ["--check"]:
        old = outdated()
        if old:
            print(f"not as made from the code: {', '.join(old)}. Run: make docs", file=sys.stderr)
        return 1 if old else 0
    if arguments:
        print("usage: python -m tests.docs.made [--check]", file=sys.stderr)
        return 2
    for name in write():
        print(f"docs: wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
