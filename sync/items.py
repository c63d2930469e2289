"""The lines of orders: they come with their order, and are replaced with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from schema.records import OrderRecord
from sync.rows import Placed

Conn = psycopg.AsyncConnection[tuple[Any, ...]]

_COPY = "copy order_item (workspace_id, order_id, place, sku, name, quantity, price, amount, cost) from stdin"


async def write_items(conn: Conn, workspace_id: UUID, orders: Sequence[Placed]) -> None:
    """Let these orders have the lines that they tell of now, and no others."""
    if not orders:
        return
    await conn.execute(
        "delete from order_item where workspace_id = %s and order_id = any(%s)",
        (workspace_id, [order.id for order in orders]),
    )
    async with conn.cursor() as cursor, cursor.copy(_COPY) as copy:
        for order in orders:
            record: OrderRecord = order.record
            for place, item in enumerate(record.items, 1):
                await copy.write_row(
                    (
                        workspace_id,
                        order.id,
                        place,
                        item.sku,
                        item.name,
                        item.quantity,
                        item.price,
                        item.amount,
                        item.cost,
                    )
                )


async def remove_items(conn: Conn, workspace_id: UUID, connection_id: UUID) -> None:
    """Remove the lines of a connection's orders, before those go."""
    await conn.execute(
        "delete from order_item i using sales_order o where i.workspace_id = %s and o.workspace_id = i.workspace_id"
        " and o.id = i.order_id and o.connection_id = %s",
        (workspace_id, connection_id),
    )
