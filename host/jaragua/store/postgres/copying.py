"""Many rows of one INSERT as one COPY: no statement is parsed for each row, and no answer of each is waited for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import psycopg
from psycopg import sql

from jaragua.bases.value import Value

#: With fewer rows, to ask for the types of the columns and to begin a COPY takes longer than it saves.
FEWEST_ROWS: Final = 8
_INSERT: Final = re.compile(r"INSERT INTO (\w+)(?: \(([\w, ]+)\))? VALUES \((?:\?, )*\?\)")


class Target(Value):
    """Where rows go. columns: all of the table, in their order, if there are none."""

    table: str
    columns: tuple[str, ...]


@cache
def target_of(query: str) -> Target | None:
    """Of an INSERT of one row of values; None of any other statement."""
    found = _INSERT.fullmatch(query)
    return None if found is None else Target(found[1], tuple((found[2] or "").split(", ")) if found[2] else ())


class Copier:
    """Of one connection."""

    def __init__(self) -> None:
        self._types: dict[Target, list[int]] = {}

    def copy(self, connection: psycopg.Connection[Any], target: Target, rows: Sequence[Sequence[Any]]) -> None:
        """Add rows within the transaction that is open. Raises: psycopg.Error, as the INSERTs would."""
        table, columns = sql.Identifier(target.table), sql.SQL(", ").join(map(sql.Identifier, target.columns))
        if target not in self._types:
            wanted = columns if target.columns else sql.SQL("*")
            found = connection.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(wanted, table)).description or ()
            self._types[target] = [column.type_code for column in found]
        where = sql.SQL("{} ({})").format(table, columns) if target.columns else table
        statement = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(where)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(self._types[target])
            for row in rows:
                copy.write_row(row)
