"""Six attribution models as SQL over touches, for PostgreSQL and DuckDB alike: what ours is measured beside.

``python models_in_sql.py FOLDER`` runs in the environment of `make peers`: it loads touches.csv of the folder into
DuckDB's memory, asks for the models, and prints one line of JSON with seconds, megabytes and sums.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

MODELS = ("first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay")

# One row a touch: conversion, kind, value, place (from 1), age_days, direct, campaign.
SIX_MODELS = """
with placed as (
    select conversion, kind, value, campaign, place, n, direct,
        row_number() over (partition by conversion order by direct, place desc) as near,
        case when n = 1 then 1.0 when n = 2 then 0.5
            when place in (1, n) then 0.4 else 0.2 / (n - 2) end as position_based,
        decay / sum(decay) over (partition by conversion) as time_decay
    from (
        select *, count(*) over (partition by conversion) as n, power(2.0, -age_days / 7.0) as decay from touch
    ) t
)
select campaign, kind,
    sum(case when place = 1 then 1.0 else 0 end), sum(case when place = n then 1.0 else 0 end),
    sum(case when near = 1 then 1.0 else 0 end), sum(1.0 / n), sum(position_based), sum(time_decay),
    sum(case when place = 1 then value else 0 end), sum(case when place = n then value else 0 end),
    sum(case when near = 1 then value else 0 end), sum(value / n), sum(value * position_based),
    sum(value * time_decay)
from placed group by campaign, kind
"""

TOUCHES = """
select p.conversion_id as conversion, p.kind, p.revenue::float8 as value, t.place,
    extract(epoch from p.occurred_at - t.at)::float8 / 86400 as age_days,
    (t.channel = 'direct' and t.campaign = '00000000-0000-0000-0000-000000000000')::int as direct, t.campaign
from path p cross join lateral unnest(p.touch_times, p.touch_channels, p.touch_campaigns)
    with ordinality as t(at, channel, campaign, place)
where p.workspace_id = '{workspace}' and p.known_until is null
"""


def main(folder: Path) -> None:
    import duckdb

    database = duckdb.connect()
    database.execute("set threads = 2")
    database.execute(f"create table touch as select * from read_csv('{folder / 'touches.csv'}')")
    began, cpu = time.perf_counter(), time.process_time()
    rows = database.execute(SIX_MODELS).fetchall()
    told = {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sums": [sum(float(row[column]) for row in rows) for column in range(2, 14)],
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
