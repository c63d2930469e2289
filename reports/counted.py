# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The figures of reports by any dimensions, each where it is counted: in rollups, paths, or the records behind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from reports import facts, fraud, products
from reports.campaigns import Grain, present_cells
from reports.conversions import QUALIFIED
from reports.counting import Counted
from reports.details import CALL_OF_PATH, DETAILS, FIRST_DEAL_OF_PATH, FIRST_TOUCH_OF_DEAL, days
from reports.dimensions import BY_TOUCH, OF_AD, TIME, TREE, Dimension, ServedFrom
from reports.paths import NIL
from reports.rollups import COUNTED_AS, FIGURES, VALUED_AS
from reports.touch_shares import PATHS_BY_SHARES
from schema.enums import Unattributed

_KEYS = "{r}.ad_group_key, {r}.keyword_key, {r}.ad_key"
_AT_TOUCH = "r.workspace_id = p.workspace_id and r.id = p.touch_records[p.credited]"
_TOUCH = (
    "left join lateral ("
    + " union all ".join(
        [
            f"select {_KEYS.format(r='r')}, r.landing_url, r.city, r.device from visit r"
            f" where p.touch_kinds[p.credited] = 'visit' and {_AT_TOUCH}",
            *(
                f"select {_KEYS.format(r='r')}, w.landing_url, w.city, w.device from {table} r left join visit w"
                f" on w.workspace_id = r.workspace_id and w.id = r.visit_id"
                f" where p.touch_kinds[p.credited] = '{kind}' and {_AT_TOUCH}"
                for kind, table in (("call", "call"), ("lead", "lead"), ("order", "sales_order"))
            ),
            f"select {_KEYS.format(r='r')}, null, null, null from deal r"
            f" where p.touch_kinds[p.credited] = 'deal' and {_AT_TOUCH}",
        ]
    )
    + ") touch on true"
)
_REACHED = (
    "left join lateral ("
    + " union all ".join(
        f"select r.responsible_id, {stage} as stage_id from {table} r where p.kind in ({kinds})"
        " and r.workspace_id = p.workspace_id and r.id = p.record_id"
        for table, kinds, stage in (
            ("call", "'call'", "null::uuid"),
            ("lead", "'lead'", "null::uuid"),
            ("deal", "'new_client', 'won_deal'", "r.stage_id"),
            ("invoice", "'paid_invoice'", "null::uuid"),
        )
    )
    + ") reached on true"
)
_GOODS = """left join lateral (
    select sum(o.cost) as cost from sales_order o
    where o.workspace_id = p.workspace_id and o.deal_id = p.record_id and o.deleted_at is null
    and o.state <> 'cancelled' and o.currency = p.currency
) goods on p.kind = 'won_deal'"""

_OF_PATHS: Mapping[str, Counted] = {
    **{figure: Counted(f"p.kind = '{kind}'") for kind, figure in COUNTED_AS.items()},
    **{figure: Counted(f"p.kind = '{kind}'", "p.revenue", money=True) for kind, figure in VALUED_AS.items()},
    **DETAILS,
    "qualified_leads": Counted(f"p.kind = 'lead' and {QUALIFIED}"),
    "costed_revenue": Counted("p.kind = 'won_deal' and goods.cost is not null", "p.revenue", money=True),
    "cost_of_goods": Counted("p.revenue <> 0", "goods.cost", money=True),
}
_OURS = "coalesce(sum({amount}) filter (where {currency} = w.currency{also}), 0)"
_OPENED = {
    "deals": Counted("true"),
    "open_deals": Counted("r.status = 'open'"),
    "dated_deals": Counted("f.touch_at is not null"),
    "open_days": Counted("true", days("r.created_at", "f.touch_at")),
}
_LOST = {
    "lost_deals": Counted("true"),
    "lost_amount": Counted("r.currency = w.currency", "r.amount", money=True),
}
_OF_SPEND: Mapping[str, str] = {
    "impressions": "sum(a.impressions)",
    "clicks": "sum(a.clicks)",
    **{
        figure: _OURS.format(amount=amount, currency="a.currency", also="")
        for figure, amount in (
            ("cost", "a.cost"),
            ("cost_net", facts.NET),
            ("cost_vat", facts.GROSS),
            ("agency_fee", facts.FEE),
        )
    },
}
BY_SHARES = _OF_PATHS.keys() - {"cost_of_goods"}
"""The figures of paths that a part of a conversion adds a part to, over ``touch_shares.PATHS_BY_SHARES``."""
_IN_RANGE = "between %(report_start)s and %(report_end)s"
_WORKSPACE = "r.workspace_id = %(report_workspace)s"


@dataclass(frozen=True, slots=True)
class Part:
    """Figures of one origin: where their rows stand, and what the row's dimensions are, as SQL."""

    figures: Mapping[str, str]
    source: str
    day: str
    cell: tuple[str, str, str] = ("p.campaign_id", "p.reason", "p.channel")
    touch: str | None = "touch"
    manager: str = "null::uuid"
    stage: str = "null::uuid"
    lost_reason: str = "null::text"
    product: str = "null::text"

    def only(self, figures: Collection[str]) -> Part:
        """The part without its other figures."""
        return replace(self, figures={key: sql for key, sql in self.figures.items() if key in figures})

    def sql(self, by: Collection[Dimension], wanted: Sequence[str]) -> str:
        """The part's sums, of the figures wanted; 0 of those that it doesn't know."""
        campaign, reason, channel = self.cell
        whose = any(each in by for each in (*TREE, *OF_AD))
        columns = {
            "campaign_id": campaign if whose else f"'{NIL}'::uuid",
            "reason": reason if whose else "''",
            "channel": channel if whose else "''",
            "day": _finest(by, self.day),
            "manager_id": self.manager if Dimension.MANAGER in by else "null::uuid",
            "stage_id": self.stage if Dimension.STAGE in by else "null::uuid",
            "lost_reason": self.lost_reason if Dimension.LOST_REASON in by else "null::text",
            "product_key": self.product if Dimension.PRODUCT in by else "null::text",
        }
        for dimension, (name, value) in BY_TOUCH.items():
            known = dimension in by and self.touch is not None
            columns[name] = value.format(touch=self.touch) if known else "null::text"
        sums = {figure: self.figures.get(figure, "0") for figure in wanted}
        shown = ", ".join(f"{value} as {name}" for name, value in {**columns, **sums}.items())
        keys = ", ".join(str(number + 1) for number in range(len(columns)))
        return f"select {shown} {self.source} group by {keys}"


def _figures_of_paths(by_shares: bool, by_product: bool) -> Mapping[str, str]:
    """How the figures of paths are counted, whole, by parts of what a model credits, or by products."""
    kept = {figure: each for figure, each in _OF_PATHS.items() if figure in BY_SHARES or not by_shares}
    part = "p.part" if by_shares else "1"
    if by_product:
        parts = products.share(part, 6)
        return {figure: _by_product(each).by_parts(parts) for figure, each in kept.items()}
    return {figure: each.by_parts(part) if by_shares else each.whole for figure, each in kept.items()}


def _by_product(counted: Counted) -> Counted:
    """The figure with each row's own amount shared by its products."""
    if counted.of is None or not counted.money:
        return counted
    what = "goods" if counted.of == "goods.cost" else "amount"
    return replace(counted, of=products.share(counted.of, 2, what))


NOW = "{row}.known_until is null"
THEN = (
    "{row}.known_from <= %(report_known)s and ({row}.known_until is null or {row}.known_until > %(report_known)s)"
)


def counted_parts(
    by: Collection[Dimension],
    start: date,
    end: date,
    params: dict[str, Any],
    *,
    known: str = NOW,
    by_shares: bool = False,
) -> list[tuple[ServedFrom, Part]]:
    """All parts, those of the rollups first; what they need beside the usual parameters goes into ``params``.

    ``known`` is ``THEN`` for versions of paths, costs and visits as known at a moment; all else has none.
    ``by_shares`` credits the parts of conversions that ``reports.touch_shares`` tells.
    """
    days = Grain.DAY if {Dimension.DAY, Dimension.WEEK} & set(by) else Grain.CAMPAIGN
    if Dimension.MONTH in by and days is not Grain.DAY:
        days = Grain.CAMPAIGN_MONTH
    figures = f"campaign_id, reason, channel, {', '.join(FIGURES)}"
    cells = present_cells(start, end, days, figures, params)
    touched = any(each in by for each in BY_TOUCH)
    # A record without a path counts by its own origin.
    own = (
        f"coalesce(p.campaign_id, r.campaign_id, '{NIL}')",
        f"coalesce(p.reason, case when r.campaign_id is null then '{Unattributed.NO_TOUCHES}' else '' end)",
        "coalesce(p.channel, case when r.campaign_id is null then coalesce(r.channel, '') else '' end)",
    )
    nobody = (
        f"coalesce(p.campaign_id, '{NIL}')",
        f"coalesce(p.reason, '{Unattributed.NO_TOUCHES}')",
        "coalesce(p.channel, '')",
    )
    joins = _TOUCH if touched else ""
    ours = "join workspace w on w.id = r.workspace_id"
    closed, paid = "coalesce(r.closed_at, r.created_at)", "r.paid_at"

    by_product = Dimension.PRODUCT in by
    sold = products.OF_DEAL if by_product else ""
    amount = products.share("r.amount", 2) if by_product else "r.amount"

    def of_deals(figures: Mapping[str, Counted]) -> Mapping[str, str]:
        if not by_product:
            return {figure: each.whole for figure, each in figures.items()}
        return {figure: _by_product(each).by_parts(products.PART) for figure, each in figures.items()}

    loaded = "" if known is NOW else " and v.loaded_at <= %(report_known)s"

    def moment(at: str) -> str:
        near = f"{at} >= %(report_start)s::date - 2 and {at} < %(report_end)s::date + 3"  # for the index
        return f"{near} and {facts.day_of(at)} {_IN_RANGE}"

    return [
        (
            ServedFrom.ROLLUPS,
            Part(
                {figure: f"sum(r.{figure})" for figure in FIGURES},
                f"from ({cells}) r",
                "r.day",
                ("r.campaign_id", "r.reason", "r.channel"),
                None,
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                _figures_of_paths(by_shares, by_product),
                f"from {PATHS_BY_SHARES if by_shares else 'path'} p left join lateral ({CALL_OF_PATH}) c "
                f"on p.kind = 'call' left join lateral ({FIRST_DEAL_OF_PATH}) n on p.kind = 'won_deal' "
                f"{_GOODS} {_REACHED} {products.OF_PATH if by_product else ''} {joins} "
                f"where p.workspace_id = %(report_workspace)s and p.day {_IN_RANGE} and {known.format(row='p')}",
                "p.day",
                manager="reached.responsible_id",
                stage="reached.stage_id",
                product="g.product_key",
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                {"visits": "count(*)"},
                "from settled_visit r join visit v on v.workspace_id = r.workspace_id and v.id = r.visit_id "
                f"where {_WORKSPACE} and r.day {_IN_RANGE} and v.started_at >= %(report_start)s::date - 2 "
                f"and v.started_at < %(report_end)s::date + 3{loaded}",
                "r.day",
                ("r.campaign_id", "r.reason", "r.channel"),
                "v",
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                _OF_SPEND,
                "from ad_spend a join workspace w on w.id = a.workspace_id left join campaign k "
                f"on k.workspace_id = a.workspace_id and k.id = a.campaign_id {facts.RATES} "
                f"where a.workspace_id = %(report_workspace)s and a.day {_IN_RANGE} and {known.format(row='a')}",
                "a.day",
                ("a.campaign_id", "''", "''"),
                None,
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                dict(zip(fraud.FRAUD, fraud.SUMS, strict=True)),
                f"from invalid_clicks r {ours} {fraud.SPEND_OF_DAY} where {_WORKSPACE} and r.day {_IN_RANGE}",
                "r.day",
                fraud.CELL,
                None,
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                {"manual_cost": "sum(d.amount)"},
                f"from manual_cost r cross join lateral ({_SPREAD}) d where {_WORKSPACE} and r.deleted_at is null "
                f"and d.day {_IN_RANGE}",
                "d.day",
                fraud.CELL,
                None,
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                of_deals(_OPENED),
                f"from deal r {facts.of_client('r.created_at')} {FIRST_TOUCH_OF_DEAL} {sold} {joins} "
                f"where {_WORKSPACE} and r.deleted_at is null and {moment('r.created_at')}",
                facts.day_of("r.created_at"),
                own,
                manager="r.responsible_id",
                stage="r.stage_id",
                lost_reason="r.lost_reason",
                product="g.product_key",
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                of_deals(_LOST),
                f"from deal r {ours} {facts.of_client('r.created_at')} {sold} {joins} "
                f"where {_WORKSPACE} and r.deleted_at is null and r.status = 'lost' and {moment(closed)}",
                facts.day_of(closed),
                own,
                manager="r.responsible_id",
                stage="r.stage_id",
                lost_reason="r.lost_reason",
                product="g.product_key",
            ),
        ),
        (
            ServedFrom.PATHS,
            Part(
                {
                    figure: _OURS.format(amount=amount, currency="r.currency", also=f" and r.kind = '{kind}'")
                    for kind, figure in (("payment", "payments"), ("refund", "refunds"))
                },
                f"from payment r {ours} {facts.of_client(paid, 'r.deal_id', 'r.invoice_id')} "
                f"{products.OF_PAYMENT if by_product else ''} {joins} "
                f"where {_WORKSPACE} and r.deleted_at is null and {moment(paid)}",
                facts.day_of(paid),
                nobody,
                product="g.product_key",
            ),
        ),
    ]


# Each day gets its share to the kopeck, and the shares add up to the amount.
_SPREAD = """
select (r.first_day + s.number)::date as day,
    round(r.amount * (s.number + 1) / (r.last_day - r.first_day + 1), 2)
    - round(r.amount * s.number / (r.last_day - r.first_day + 1), 2) as amount
from generate_series(0, r.last_day - r.first_day) as s(number)
"""


def _finest(by: Collection[Dimension], day: str) -> str:
    asked = [each for each in TIME if each in by]
    if not asked:
        return "null::date"
    return day if len(asked) > 1 or asked[0] is Dimension.DAY else f"date_trunc('{asked[0]}', {day})::date"
