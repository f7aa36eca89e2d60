"""Questions in SQL: one SELECT, within limits; everything else is refused and changes nothing.

SQLite is asked in a child process (`evidence.sqlite_child`) that is killed when its time is over:
nothing inside SQLite stops a function that runs long. PostgreSQL is asked as a role that may read
some views and nothing else (`evidence.postgres_questions`).
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from evidence.catalogue import CATALOGUE
from evidence.errors import QueryRefusedError
from evidence.sqlite_child import Task
from evidence.store import Store

#: Limits of one question: characters of SQL, seconds, rows, bytes of all values, of one value.
QUERY_CHARACTERS = 100_000
QUERY_TIMEOUT_S = 10.0
QUERY_ROWS = 10_000
QUERY_BYTES = 32_000_000
QUERY_VALUE_BYTES = 1_000_000
#: Limits of the process that asks SQLite: memory, and each temporary file of a large sort.
QUERY_MEMORY_BYTES = 512_000_000
QUERY_FILE_BYTES = 1_000_000_000
#: How long after its time a question may take to end by itself, before it is ended.
GRACE_S = 2.0
#: Questions that one process asks at once; more wait for their turn.
PARALLEL_QUESTIONS = 16
#: What may be read.
READABLE = tuple(CATALOGUE)
#: SQL functions that only compute; everything else is refused.
SAFE_FUNCTIONS = frozenset(
    "abs avg coalesce count date datetime format group_concat ifnull iif instr julianday length "
    "like lower ltrim max min nullif printf replace round rtrim sign strftime string_agg substr "
    "substring sum total trim typeof upper first_value last_value lag lead rank dense_rank "
    "row_number ntile percent_rank cume_dist nth_value unicode char glob hex floor ceil ceiling "
    "sqrt power pow exp ln log log10 log2 mod trunc".split()
)
#: How a SELECT begins, after blanks and comments; possessive, because a run of comments would
#: otherwise be matched in exponentially many ways. What lies behind is refused further in.
_SELECT = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*+(?:select|with|values)\b", re.I | re.S)
_CHILD = Path(__file__).with_name("sqlite_child.py")
_turns = threading.BoundedSemaphore(PARALLEL_QUESTIONS)


@dataclass(frozen=True)
class Answer:
    """Result of a question: column names, rows, and whether rows were left out."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    truncated: bool


def question(store: Store, sql: str) -> Answer:
    """Answer one SELECT.

    Parameters
    ----------
    store : Store
        On SQLite or PostgreSQL.
    sql : str
        The statement, in the dialect of the database.

    Raises
    ------
    QueryRefusedError
        The statement is something else than one SELECT, is wrong, or exceeds a limit.
    EvidenceError
        PostgreSQL has no role that may ask, and none can be made; the message says what to do.
    """
    return answers(store, [sql])[0]


def answers(store: Store, statements: Sequence[str]) -> tuple[Answer, ...]:
    """Answer several SELECTs, each as `question` does, within the time of one.

    Raises
    ------
    QueryRefusedError
        One cannot be answered; the error says which.
    EvidenceError
        As for `question`.
    """
    for position, sql in enumerate(statements):
        if reason := _objection(sql):
            raise QueryRefusedError(reason, position)
    with _turns:
        if store.dialect == "sqlite":
            return _read(*_converse(json.dumps(_task(store.path, statements)).encode()))
        from evidence.postgres_questions import ask_postgres  # noqa: PLC0415  (an extra)

        return ask_postgres(store, statements)


def _objection(sql: str) -> str:
    """Why a text need not be sent to a database; empty where it may be."""
    if len(sql) > QUERY_CHARACTERS:
        return f"the query has {len(sql)} characters, at most {QUERY_CHARACTERS} can be answered"
    if not _SELECT.match(sql):
        return f"only one SELECT is answered here, found {sql[:40]!r}; the store is read-only"
    if "\0" in sql:
        return "the query cannot be answered: it contains a null character"
    return ""


def _task(path: Path, statements: Sequence[str]) -> Task:
    return {
        "uri": f"{path.as_uri()}?mode=ro",
        "questions": list(statements),
        "tables": list(READABLE),
        "functions": sorted(SAFE_FUNCTIONS),
        "seconds": QUERY_TIMEOUT_S,
        "cpu_seconds": int(QUERY_TIMEOUT_S + GRACE_S) + 1,
        "rows": QUERY_ROWS,
        "answer_bytes": QUERY_BYTES,
        "value_bytes": QUERY_VALUE_BYTES,
        "sql_bytes": 4 * QUERY_CHARACTERS,
        "memory_bytes": QUERY_MEMORY_BYTES,
        "file_bytes": QUERY_FILE_BYTES,
    }


def _converse(task: bytes) -> tuple[bytes, bool]:
    """What a child says to a task, and whether it was ended; no child is left behind."""
    deadline = time.monotonic() + QUERY_TIMEOUT_S + GRACE_S
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(_CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # the last words of a child that breaks
        cwd="/",
        start_new_session=True,
    ) as child:
        killer = threading.Timer(deadline - time.monotonic(), _kill, (child,))
        killer.start()
        try:
            with suppress(BrokenPipeError), cast(IO[bytes], child.stdin) as pipe:
                pipe.write(task)
            # The child bounds its rows itself; this bounds a child that is no longer itself.
            said = cast(IO[bytes], child.stdout).read(2 * QUERY_BYTES)
        finally:
            killer.cancel()
            killer.join()
            _kill(child)
    return said, time.monotonic() >= deadline


def _kill(child: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _read(said: bytes, late: bool) -> tuple[Answer, ...]:
    """Answers of a child's lines; a child that breaks or is ended leaves one without its end."""
    found: list[Answer] = []
    lines: list[bytes] = []
    for line in said.removesuffix(b"\n").split(b"\n"):
        if (end := _end(line)) is None:
            lines.append(line)
            continue
        if "refused" in end:
            raise QueryRefusedError(refusal(end["refused"]), len(found))
        columns, *rows = map(json.loads, lines)
        found.append(Answer(tuple(columns), tuple(tuple(map(_value, r)) for r in rows), **end))
        lines = []
    if lines:
        words = lines[-1][:200].decode(errors="replace")
        broken = "interrupted" if late else f"the process that asks SQLite broke: {words}"
        raise QueryRefusedError(refusal(broken), len(found))
    return tuple(found)


def _end(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _value(found: Any) -> Any:
    return bytes.fromhex(found["hex"]) if isinstance(found, dict) else found


def refusal(reason: str) -> str:
    """What a database says, in words that tell what is allowed."""
    limit = f"the {QUERY_MEMORY_BYTES // 10**6} MB that a question may use"
    known = {
        "use function": f"this function is not allowed here ({reason}); "
        f"allowed: {' '.join(sorted(SAFE_FUNCTIONS))}",
        "prohibited": f"this table is not allowed here ({reason}); allowed: {' '.join(READABLE)}",
        "not authorized": f"only one SELECT is answered here; the store is read-only ({reason})",
        "interrupted": f"the query took longer than {QUERY_TIMEOUT_S:g} s and was stopped",
        "one statement": "only one SELECT is answered at a time",
        "out of memory": f"the query needs more memory than {limit}, and was stopped",
        "MemoryError": f"the query needs more memory than {limit}, and was stopped",
        "database is locked": "the store is being written to; ask again in a moment",
    }
    matching = (message for sign, message in known.items() if sign in reason)
    return next(matching, f"the query cannot be answered: {reason}")
