"""Is this text one SELECT that reads named tables and only computes? By its syntax tree.

The second wall before PostgreSQL. The first is the role that asks (`evidence.postgres`), which
holds by itself should this parser and PostgreSQL's ever understand a text differently.
"""

import logging
from collections.abc import Collection, Iterator, Sequence

from sqlglot import Dialect, Token, TokenType, exp
from sqlglot.errors import SqlglotError

from evidence.errors import QueryRefusedError

#: Functions that SQLite has not, syntax that the parser counts as a function, and the parser's
#: own name for ``position`` and ``strpos``.
POSTGRES_FUNCTIONS = frozenset(
    "and or case cast exists array str_position left right concat greatest least bool_and bool_or "
    "stddev stddev_samp stddev_pop variance var_samp var_pop corr mode median percentile_cont "
    "percentile_disc".split()
)
#: Functions of SQLite's list that PostgreSQL has too, and that make values of any size there.
UNBOUNDED = frozenset({"format"})
#: Casts to plain values; one to regclass asks the catalogue, one to xml parses entities.
TYPES = frozenset(
    "TEXT VARCHAR CHAR INT SMALLINT BIGINT FLOAT DOUBLE DECIMAL BOOLEAN DATE TIME TIMESTAMP "
    "TIMESTAMPTZ INTERVAL".split()
)
#: What takes a whole row and is no allowed function: PostgreSQL reads ``r.to_json`` as
#: ``to_json(r)`` where `r` has no such column. A test asks a server whether one is missing.
ROW_FUNCTIONS = frozenset(
    "any_out any_value anycompatible_out anycompatiblenonarray_out anyelement_out anynonarray_out "
    "array_agg hash_record json_agg json_agg_strict json_build_array json_build_object jsonb_agg "
    "jsonb_agg_strict jsonb_build_array jsonb_build_object num_nonnulls num_nulls pg_collation_for "
    "pg_column_compression pg_column_size pg_column_toast_chunk_id pg_typeof quote_literal "
    "quote_nullable record_out record_send row_to_json to_json to_jsonb".split()
)
#: Every relation of the catalogue begins so, and no view; a name for a query within the question
#: that does would let the catalogue be read where that name does not reach.
CATALOGUE_PREFIX = "pg_"
#: The schema of the views; may be written before a name.
SCHEMA = "ask"


def only_select(sql: str, tables: Collection[str], functions: Collection[str]) -> str:
    """The one SELECT of a text, without the semicolon that may end it.

    Parameters
    ----------
    sql : str
        In PostgreSQL's dialect.
    tables : collection of str
        What may be read.
    functions : collection of str
        What may be called besides `POSTGRES_FUNCTIONS`, in lower case.

    Raises
    ------
    QueryRefusedError
        It is something else, cannot be parsed, or names another table, function or type.
    """
    sql, trees = _parsed(sql)
    functions = (POSTGRES_FUNCTIONS | set(functions)) - UNBOUNDED
    reason = next(_objections(trees, set(tables), functions), None)
    if reason is not None:
        raise QueryRefusedError(reason)
    return sql


def _parsed(sql: str) -> tuple[str, list[exp.Expr | None]]:
    """Text without a closing semicolon, and the trees of its statements."""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what is refused anyway
    dialect = Dialect.get_or_raise("postgres")
    try:
        tokens = dialect.tokenize(sql)
        if tokens and tokens[-1].token_type == TokenType.SEMICOLON:
            sql = sql[: tokens.pop().start]
        return sql, list(dialect.parser().parse(tokens, sql))
    except (SqlglotError, RecursionError) as error:
        deep = isinstance(error, RecursionError)
        what = "it is nested too deeply" if deep else str(error).partition("\n")[0]
        msg = f"the query cannot be answered: {what}"
        raise QueryRefusedError(msg) from None


def _objections(
    trees: list[exp.Expr | None], tables: set[str], functions: frozenset[str]
) -> Iterator[str]:
    if len(trees) != 1:
        yield "only one SELECT is answered at a time"
    tree = trees[0]
    if not isinstance(tree, exp.Select | exp.SetOperation | exp.Values):
        yield "only one SELECT is answered here; the store is read-only"
        return
    readable = tables | {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        if isinstance(node, exp.DML | exp.DDL | exp.Into | exp.Lock | exp.Command):
            found = type(node).__name__.upper()
            yield f"only one SELECT is answered here, found {found}; the store is read-only"
        elif isinstance(node, exp.CTE) and node.alias.lower().startswith(CATALOGUE_PREFIX):
            yield f"the name {node.alias} is not allowed here: {CATALOGUE_PREFIX} is PostgreSQL's"
        elif isinstance(node, exp.Table) and not _is_readable(node, readable):
            yield _not_allowed("table", node.sql("postgres"), tables)
        elif isinstance(node, exp.Func) and functions.isdisjoint(names := _names(node)):
            yield _not_allowed("function", names[0], functions)
        elif (attribute := _attribute(node)) in ROW_FUNCTIONS:
            yield _not_allowed("function", attribute, functions)
        elif isinstance(node, exp.Cast) and getattr(node.to.this, "name", "") not in TYPES:
            yield _not_allowed("type", node.to.sql("postgres"), TYPES)


def _not_allowed(kind: str, found: str, allowed: Collection[str]) -> str:
    return f"the {kind} {found} is not allowed here; allowed: {' '.join(sorted(allowed)).lower()}"


def _is_readable(table: exp.Table, readable: set[str]) -> bool:
    named = table.name.lower() in readable and table.db in {"", SCHEMA} and not table.catalog
    return named or not table.name  # the result of a function, which is judged by itself


def _attribute(node: exp.Expr) -> str:
    """What stands behind the last dot; empty where there is none."""
    if isinstance(node, exp.Column):
        return node.name.lower() if node.table else ""
    return node.expression.name.lower() if isinstance(node, exp.Dot) else ""


def _names(function: exp.Func) -> list[str]:
    named = isinstance(function, exp.Anonymous | exp.AnonymousAggFunc)
    return [name.lower() for name in ([function.name] if named else function.sql_names())]


def column_names(sql: str, given: Sequence[str]) -> tuple[str, ...]:
    """Names of an answer's columns as SQLite gives them: an expression without one is its text.

    Parameters
    ----------
    sql : str
        One SELECT that `only_select` let pass.
    given : sequence of str
        PostgreSQL's names, which stay where they were written or are a column's.
    """
    trees = _parsed(sql)[1]
    selected = trees[0].selects if isinstance(trees[0], exp.Query) else []
    texts = _selected_texts(sql)
    starred = any(item.is_star for item in selected)
    if starred or not len(given) == len(selected) == len(texts):
        return tuple(given)
    return tuple(
        name if isinstance(item, exp.Alias | exp.Column) else text
        for name, item, text in zip(given, selected, texts, strict=True)
    )


def _selected_texts(sql: str) -> list[str]:
    """What stands between the commas of the outermost SELECT, as it is written."""
    depth, inside = 0, False
    items: list[list[Token]] = []
    for token in Dialect.get_or_raise("postgres").tokenize(sql):
        depth += _DEPTHS.get(token.token_type, 0)
        if depth == 0 and token.token_type == TokenType.SELECT and not inside:
            inside, items = True, [[]]
        elif inside and depth == 0 and token.token_type in _ENDS:
            break
        elif inside and depth == 0 and token.token_type == TokenType.COMMA:
            items.append([])
        elif inside and token.token_type not in _BEFORE:
            items[-1].append(token)
    return [sql[item[0].start : item[-1].end + 1] for item in items if item]


_DEPTHS = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_BEFORE = frozenset({TokenType.DISTINCT, TokenType.ALL})
_ENDS = frozenset(
    {
        TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.HAVING, TokenType.ORDER_BY,
        TokenType.LIMIT, TokenType.OFFSET, TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT,
        TokenType.WINDOW,
    }
)  # fmt: skip
