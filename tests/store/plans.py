"""How a database would run a statement."""

from typing import Any

from maskline.store.engine import Tx
from maskline.store.statement import Database, Statement


def plan_of(tx: Tx, statement: Statement, params: dict[str, Any]) -> str:
    """The database's own plan, a line for each step."""
    compiled = statement.compiled(tx.database)
    prefix = "EXPLAIN QUERY PLAN " if tx.database is Database.SQLITE else "EXPLAIN "
    rows = tx._raw.execute(prefix + compiled.text, compiled.bind(params)).fetchall()
    return "\n".join(str(row[-1]) for row in rows)


def scans(database: Database, plan: str) -> list[str]:
    """Lines of a plan that read a whole table."""
    if database is Database.SQLITE:
        return [line for line in plan.splitlines() if line.startswith("SCAN") and "CONSTANT ROW" not in line]
    return [line for line in plan.splitlines() if "Seq Scan" in line]
