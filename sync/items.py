"""The lines of orders: they come with their order, and are replaced with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from core.arrays import uuids
from sync.copying import copy
from sync.rows import Placed

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_COLUMNS = ("workspace_id", "order_id", "place", "sku", "name", "quantity", "price", "amount", "cost")


async def write_items(conn: Conn, workspace_id: UUID, orders: Sequence[Placed]) -> None:
    """Let these orders have the lines that they tell of now, and no others."""
    if not orders:
        return
    await conn.execute(
        "delete from order_item where workspace_id = %s and order_id = any(%s::uuid[])",
        (workspace_id, uuids([order.id for order in orders])),
    )
    workspace = workspace_id.hex
    rows = (
        (workspace, order.id.hex, place, each.sku, each.name, each.quantity, each.price, each.amount, each.cost)
        for order in orders
        for place, each in enumerate(order.record.items, 1)
    )
    await copy(conn, "order_item", _COLUMNS, rows)


async def remove_items(conn: Conn, workspace_id: UUID, connection_id: UUID) -> None:
    """Remove the lines of a connection's orders, before those go."""
    await conn.execute(
        "delete from order_item i using sales_order o where i.workspace_id = %s and o.workspace_id = i.workspace_id"
        " and o.id = i.order_id and o.connection_id = %s",
        (workspace_id, connection_id),
    )
