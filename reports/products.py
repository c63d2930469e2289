# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""By product: what a sale is worth is shared by the lines of its orders.

Shares are those of the lines' amounts, so that delivery and discounts of the whole order spread over its lines. An
order without lines that have an amount is a share without a product. What no order belongs to has no product at
all. Each share is what a running sum comes to, rounded, less what it came to before: the shares of a sale add up to
it exactly.
"""

from __future__ import annotations

_ORDERS_OF_DEAL = "select s.id from sales_order s where s.workspace_id = {row}.workspace_id and s.deal_id = {deal}"
_ORDERS_OF_INVOICE = """
select n.order_id from invoice n
where n.workspace_id = {row}.workspace_id and n.id = {invoice} and n.order_id is not null
union all
select s.id from invoice n join sales_order s on s.workspace_id = n.workspace_id and s.deal_id = n.deal_id
where n.workspace_id = {row}.workspace_id and n.id = {invoice} and n.order_id is null"""
_PRODUCTS = """
left join lateral (
    select k.product_key,
        sum(k.amount) over before / k.whole as after_amount,
        (sum(k.amount) over before - k.amount) / k.whole as before_amount,
        sum(k.goods) over before / k.goods_whole as after_goods,
        (sum(k.goods) over before - k.goods) / k.goods_whole as before_goods
    from (
        select j.*, sum(j.amount) over () as whole, sum(j.goods) over () as goods_whole
        from (
            select l.product_key, l.amount, case when bool_and(l.costed) over () and sum(l.cost) over () > 0
                then l.cost else l.amount end as goods
            from (
                select coalesce(nullif(i.sku, ''), i.name) as product_key,
                    sum(coalesce(i.amount, i.price * i.quantity, o.amount)) as amount,
                    bool_and(case when i.order_id is null then o.cost else i.cost end is not null) as costed,
                    sum(case when i.order_id is null then o.cost else i.cost end) as cost
                from sales_order o
                left join order_item i on i.workspace_id = o.workspace_id and i.order_id = o.id
                    and coalesce(i.amount, i.price * i.quantity) > 0
                where o.workspace_id = {row}.workspace_id and o.id = any(array({orders}))
                and o.deleted_at is null and o.state <> 'cancelled'
                and (i.order_id is not null or o.amount > 0)
                group by 1
            ) l
        ) j
    ) k
    window before as (order by k.product_key nulls last rows unbounded preceding)
) g on {when}"""

OF_PATH = _PRODUCTS.format(
    row="p",
    orders=f"""
        {_ORDERS_OF_DEAL.format(row="p", deal="p.record_id")} and p.kind in ('won_deal', 'new_client')
        union all select n.id from ({_ORDERS_OF_INVOICE.format(row="p", invoice="p.record_id")}) n(id)
        where p.kind = 'paid_invoice'""",
    when="p.kind in ('won_deal', 'new_client', 'paid_invoice')",
)
"""SQL that joins to the path ``p`` a row ``g`` for each product of what was sold."""

OF_DEAL = _PRODUCTS.format(row="r", orders=_ORDERS_OF_DEAL.format(row="r", deal="r.id"), when="true")
"""The same for a deal ``r``."""

OF_PAYMENT = _PRODUCTS.format(
    row="r",
    orders=f"""
        select r.order_id where r.order_id is not null
        union all select n.id from ({_ORDERS_OF_INVOICE.format(row="r", invoice="r.invoice_id")}) n(id)
        where r.order_id is null
        union all {_ORDERS_OF_DEAL.format(row="r", deal="r.deal_id")}
        and r.order_id is null and r.invoice_id is null""",
    when="true",
)
"""The same for a payment or a refund ``r``: of its order, else of its invoice's, else of its deal's."""


def share(whole: str, places: int, what: str = "amount") -> str:
    """SQL of the product's share of ``whole``; of what goods cost (``what``: "goods") by what the lines cost, where
    each of them tells it. What has no products is shared by nothing."""
    after, before = f"coalesce(g.after_{what}, 1)", f"coalesce(g.before_{what}, 0)"
    return f"(round({whole} * {after}, {places}) - round({whole} * {before}, {places}))"


PART = share("1", 6)
"""SQL of the product's share of one sale."""
