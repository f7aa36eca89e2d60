"""Answer questions to an SQLite file, in a process of its own that may be killed at any time.

`evidence.questions` runs this file as a script. It needs the standard library only, so that it
starts in milliseconds. It reads one JSON object from stdin, `Task`, and writes lines of JSON to
stdout, for each question: the names of the columns, a list for each row, and last either
``{"truncated": bool}`` or ``{"refused": reason}``, after which there is nothing more. Bytes travel
as ``{"hex": digits}``. POSIX only.

References
----------
https://www.sqlite.org/security.html, "Untrusted SQL Inputs".
"""

import json
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypedDict

#: Limits of what SQLite compiles: far above any question that a person asks, far below its own.
COMPILED = {
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_COLUMN: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 0,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 0,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
#: Steps of SQLite's machine between two looks at the clock.
STEPS = 10_000


class Task(TypedDict):
    """What to answer, and within which limits (seconds, bytes, rows)."""

    uri: str
    questions: list[str]
    tables: list[str]
    functions: list[str]
    seconds: float
    cpu_seconds: int
    rows: int
    answer_bytes: int
    value_bytes: int
    sql_bytes: int
    memory_bytes: int
    file_bytes: int


def main() -> None:
    """Read the task, answer it, or say why not."""
    task: Task = json.load(sys.stdin)
    confine(task)
    try:
        connection = locked_down(task)
        for question in task["questions"]:
            for line in answer(connection, question, task):
                sys.stdout.buffer.write(line)
    except MemoryError:
        refuse("out of memory")
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        refuse(str(error))


def confine(task: Task) -> None:
    """Bound the memory, the processor time and the temporary files of this process."""
    bound(resource.RLIMIT_CORE, 0)
    bound(resource.RLIMIT_CPU, task["cpu_seconds"])
    bound(resource.RLIMIT_FSIZE, task["file_bytes"])
    if sys.platform != "darwin":  # which refuses it; SQLite's own heap limit stays
        bound(resource.RLIMIT_AS, task["memory_bytes"])


def bound(what: int, wanted: int) -> None:
    """Lower a limit of this process for good."""
    hard = resource.getrlimit(what)[1]
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(what, (limit, limit))


def refuse(reason: str) -> None:
    """Say why there is no answer."""
    sys.stdout.buffer.write(line_of({"refused": reason}))


def line_of(value: Any) -> bytes:
    """One line of JSON in UTF-8."""
    text = json.dumps(value, ensure_ascii=False, default=lambda found: {"hex": found.hex()})
    return text.encode() + b"\n"


def answer(connection: sqlite3.Connection, question: str, task: Task) -> Iterator[bytes]:
    """Lines of an answer, up to the limits of rows and bytes."""
    cursor = connection.execute(question)
    yield line_of([column[0] for column in cursor.description])
    size = 0
    for count, row in enumerate(cursor):
        line = line_of(row)
        size += len(line)
        if count == task["rows"] or size > task["answer_bytes"]:
            yield line_of({"truncated": True})
            return
        yield line
    yield line_of({"truncated": False})


def locked_down(task: Task) -> sqlite3.Connection:
    """Connection that reads the named tables, computes, and does nothing else."""
    connection = sqlite3.connect(task["uri"], uri=True, timeout=task["seconds"])
    # Half of the whole, so that SQLite gives up while Python can still say so.
    connection.execute(f"PRAGMA hard_heap_limit = {task['memory_bytes'] // 2:d}")
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA trusted_schema = 0")
    hidden = hidden_names(connection) - set(task["tables"])
    for limit, value in COMPILED.items():
        connection.setlimit(limit, value)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, task["value_bytes"])
    connection.setlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH, task["sql_bytes"])
    deadline = time.monotonic() + task["seconds"]
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    connection.set_authorizer(authorizer(task, hidden))
    return connection


def hidden_names(connection: sqlite3.Connection) -> set[str]:
    """Whatever could be read by name: tables, views, and the tables that modules make up."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    names |= {name for (name,) in connection.execute("SELECT name FROM pragma_module_list")}
    return {name.lower() for name in names}


def authorizer(task: Task, hidden: set[str]) -> Callable[..., int]:
    """Deny by default; allow SELECT, the named tables and functions, and recursion."""
    tables, functions = set(task["tables"]), set(task["functions"])
    free = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}

    def readable(table: str, column: str) -> bool:
        # A read of no column also names common tables of the question itself: those are in no
        # schema. What begins with these words is SQLite's own, listed or not.
        own = table.startswith(("sqlite_", "pragma_")) or table in hidden
        return table in tables or (column == "" and not own)

    def authorize(action: int, first: str | None, second: str | None, *_rest: str | None) -> int:
        allowed = action in free
        if action == sqlite3.SQLITE_READ:
            allowed = readable((first or "").lower(), second or "")
        elif action == sqlite3.SQLITE_FUNCTION:
            allowed = (second or "").lower() in functions
        return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY

    return authorize


if __name__ == "__main__":
    main()
