"""The statements inside the functions of sql/, as PostgreSQL plans them: read from the catalogue, with $1, $2, … for variables.

There is no reading them back from a server that has planned them: auto_explain is not everywhere. So the bodies are taken
apart here, which needs to know the shape of plpgsql (where a statement begins and ends, INTO, PERFORM) and nothing of SQL:
which of its names are variables PostgreSQL itself says. Each statement becomes the body of a function whose arguments
are the variables (`begin atomic`), and its text is what the server shows of that function without argument names.

`reached` walks from the functions that programs call to all they call, and carries along what each inherits: settings
of the caller, and the role (the owner's below SECURITY DEFINER).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

Db = psycopg.Connection[Any]
Words = list[str]

TOKEN = re.compile(
    r"--[^\n]*|#variable_conflict \w+|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[A-Za-z_]\w*|\d+(?:\.\d+)?|:=|\.\.|\s+|.",
    re.DOTALL,
)
QUERY = ("select", "with", "insert", "update", "delete")
SKIPPED = ("raise", "get", "continue", "exit", "null", "execute", "end", "when", "foreach", "exception", "else", "<")
FUNCTIONS = """
select p.oid, p.proname, l.lanname, p.prosrc, p.prosecdef, coalesce(p.proconfig, '{}') as settings,
       array(select coalesce(p.proargnames[n], '') from generate_series(1, cardinality(t.types)) as n) as names,
       array(select format_type(t.types[n], null) from generate_series(1, cardinality(t.types)) as n) as types,
       array(select coalesce(p.proargmodes[n]::text, 'i') from generate_series(1, cardinality(t.types)) as n) as modes
from pg_proc p
join pg_language l on l.oid = p.prolang
cross join lateral (select coalesce(p.proallargtypes, array(select unnest(p.proargtypes))) as types) t
where p.pronamespace = 'stepwell'::regnamespace
  and p.prokind = 'f'
"""

BODY = """
select pg_get_function_sqlbody(oid), array(select format_type(t, null) from unnest(proargtypes) with ordinality u(t, n) order by n)
from pg_proc
where oid = %s::regproc
"""


@dataclass
class Function:
    """One function of the catalogue, taken apart."""

    name: str
    language: str
    source: str
    definer: bool
    settings: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)  # name → type; `record` where only a query tells
    queries: list[str] = field(default_factory=list)
    of_records: dict[str, str] = field(default_factory=dict)  # record variable → the query it holds a row of


@dataclass(frozen=True)
class Statement:
    """One statement of a function: its text with $1, $2, …, and the variables in that order."""

    function: str
    text: str
    variables: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, str], ...]


def functions(db: Db) -> dict[str, Function]:
    """Read all functions; of those with one name the longest, which the others call."""
    found: dict[str, Function] = {}
    for _, name, language, source, definer, settings, names, types, modes in db.execute(FUNCTIONS):
        if name in found and len(found[name].source) > len(source):
            continue
        made = Function(name, language, source, definer, dict(s.split("=", 1) for s in settings))
        given = ("i", "b", "v") if language == "sql" else ("i", "b", "v", "o", "t")
        made.variables = {n: t for n, t, mode in zip(names, types, modes, strict=True) if n and mode in given}
        if language == "sql":
            made.queries = [text for text in _texts(source) if text]
        else:
            _take_apart(made)
        found[name] = made
    return found


def _words(source: str) -> Words:
    """Return the tokens without comments; what is between them as one space."""
    found = (" " if word.isspace() or word.startswith(("--", "/*", "#v")) else word for word in TOKEN.findall(source))
    return [word if word.startswith(("'", '"')) else word.lower() for word in found]


def _texts(source: str) -> Iterator[str]:
    """Split at the semicolons that end a statement, and where plpgsql begins a block."""
    text: Words = []
    depth = 0
    for word in _words(source):
        text.append(word)
        depth += (word in ("(", "[", "case")) - (word in (")", "]")) - (word == "end" and "case" in text)
        said = "".join(text).strip()
        if depth == 0 and (word in (";", "then", "loop") or said in ("begin", "declare", "else", "exception")):
            yield said.removesuffix(word).strip() if word != said else said
            text = []
    yield "".join(text).strip()


def _take_apart(made: Function) -> None:
    """Find variables and queries of a plpgsql function."""
    made.variables |= {"found": "boolean", "sqlerrm": "text", "sqlstate": "text"}
    declaring = False
    for text in _texts(made.source):
        first = text.split(" ", 1)[0]
        if first in ("declare", "begin"):
            declaring = first == "declare"
        elif declaring:
            _declare(made, text)
        elif text and first not in SKIPPED:
            _add(made, text, first)


def _declare(made: Function, text: str) -> None:
    head, _, value = text.partition(":=")
    name, kind = head.replace(" constant ", " ").strip().split(" ", 1)
    made.variables[name.strip('"')] = kind.strip()
    if value and kind.strip() == "record":
        made.of_records[name] = f"select * from {value}"
    elif value:
        made.queries.append(f"select {value}")


def _add(made: Function, text: str, first: str) -> None:
    """Add the query in one statement of plpgsql, if there is one."""
    rest = text.removeprefix(first).strip()
    if first in QUERY:
        query, targets = _without_into(text)
        made.queries.append(query)
        if len(targets) == 1:
            made.of_records.setdefault(targets[0], query)
    elif first == "for":
        name, _, query = rest.partition(" in ")
        if ".." in query:
            made.variables[name] = "integer"
        elif not query.startswith("execute"):
            made.queries.append(query)
            made.of_records.setdefault(name, query)
    elif first == "perform":
        made.queries.append(f"select {rest}")
    elif first == "return":
        made.queries += [rest.removeprefix("query ")] if rest.startswith("query ") else _expression(rest)
    elif first in ("if", "elsif", "while"):
        made.queries += _expression(rest)
    elif ":=" in text:
        made.queries += _expression(text.partition(":=")[2].strip())
        made.of_records.setdefault(first, f"select * from {text.partition(':=')[2]}")


def _expression(text: str) -> list[str]:
    return [] if text in ("", "next") else [f"select {text}"]


def _without_into(text: str) -> tuple[str, list[str]]:
    """Return a query without the INTO of plpgsql, and the variables it names."""
    depth = 0
    kept: Words = []
    words = _words(text)
    for place, word in enumerate(words):
        depth += (word == "(") - (word == ")")
        if word == "into" and depth == 0 and "".join(kept).split()[-1] != "insert":
            found = re.match(r"\s*(?:strict )?([\w.]+(?:\s*,\s*[\w.]+)*)(.*)", "".join(words[place + 1 :]), re.DOTALL)
            assert found is not None, text
            return "".join(kept) + found[2], [name.strip() for name in found[1].split(",")]
        kept.append(word)
    return text, []


class Reader:
    """Has PostgreSQL say which names of a query are variables. `db`: a superuser's, its database thrown away later."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._made = 0
        db.execute("create schema plans")
        db.execute("grant usage on schema plans to public")
        db.execute("set allow_system_table_mods = on")

    def statements(self, of: Function) -> Iterator[Statement]:
        """Yield the statements of a function, with $1, $2, …"""
        for name, query in of.of_records.items():
            if of.variables.get(name) == "record":
                of.variables[name] = self._type(f"{of.name}_{name}", *self._read(of, query))
        for query in of.queries:
            text, types = self._read(of, query)
            yield Statement(of.name, text, tuple(zip(known(of), types, strict=True)), tuple(of.settings.items()))

    def _read(self, of: Function, query: str) -> tuple[str, list[str]]:
        """Return the query as the server shows it, variables as $1, $2, …, and the types of these."""
        self._made += 1
        arguments = ", ".join(f'"{name}" {kind}' for name, kind in known(of).items())
        # The function's own name, since names are qualified by it; in a schema of its own, since there are many.
        made = f'plan_{self._made}."{of.name}"'
        self._db.execute(f"create schema plan_{self._made}")
        self._db.execute(f"set search_path = {of.settings.get('search_path', 'public')}")
        self._db.execute(
            f"create function {made}({arguments}) returns void language sql begin atomic {query}; end".encode()
        )
        self._db.execute("reset search_path")
        self._db.execute("update pg_proc set proargnames = null where oid = %s::regproc", (made,))
        ((body, types),) = self._db.execute(BODY, (made,)).fetchall()
        return body.strip().removeprefix("BEGIN ATOMIC").removesuffix("END").strip().removesuffix(";"), types

    def _type(self, name: str, text: str, types: list[str]) -> str:
        """Make a type of what a query returns; return its name."""
        self._db.execute(f"prepare columns ({', '.join(types)}) as {text}".encode())
        shown = self._db.pgconn.describe_prepared(b"columns")
        self._db.execute("deallocate columns")
        columns = [(shown.fname(n), shown.ftype(n)) for n in range(shown.nfields)]
        parts = [
            f'"{column.decode()}" {kind}'
            for column, oid in columns
            for (kind,) in self._db.execute("select format_type(%s, null)", (oid,))
            if column is not None
        ]
        self._db.execute(f"create type plans.{name} as ({', '.join(parts)})")
        return f"plans.{name}"


def known(of: Function) -> dict[str, str]:
    """Return the variables whose type is known."""
    return {name: kind for name, kind in of.variables.items() if kind != "record"}


def reached(db: Db, roots: dict[str, str], owner: str) -> Iterator[tuple[str, Statement]]:
    """Yield (role, statement) of the functions that programs call (name → role) and of all those call, each once."""
    every, reader = functions(db), Reader(db)
    made: dict[str, list[Statement]] = {}
    waiting: list[tuple[str, str, dict[str, str]]] = [(name, role, {}) for name, role in roots.items()]
    seen = set()
    while waiting:
        name, caller, inherited = waiting.pop()
        of = every[name]
        role, settings = owner if of.definer else caller, {**inherited, **of.settings}
        if (name, role, *settings.items()) in seen:
            continue
        seen.add((name, role, *settings.items()))
        if name not in made:
            made[name] = list(reader.statements(of))
        for one in filter(reads, made[name]):
            yield role, Statement(name, one.text, one.variables, tuple(settings.items()))
        waiting += [(called, role, settings) for called in every if re.search(rf"\b{called}\s*\(", of.source)]


def reads(one: Statement) -> bool:
    """Tell whether a statement can read a table at all."""
    return re.search(r"\b(from|into|update)\b", one.text, re.IGNORECASE) is not None
