"""Verbs and reads of the API under a `Scope`: the only place where it touches tables.

Every function takes a connection on which the caller has opened a transaction with `begin`; it commits, nothing here
does. The database sees only the scope's rows (row-level security); the scope is passed all the same, for indexes, and
so that no function can be written without one. Writes go through the same SQL functions that SQL callers use. Locks are
those of the functions: no row that a worker writes is ever locked here.

Must not: run an activity, decide anything, or hand out a row of another scope. psycopg.Error passes through: the caller
turns it into one of ours with `engine.db.translate`.
"""
