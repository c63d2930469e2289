"""The monthly report as a page of HTML: one file with its charts in it, and good on paper too."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from reports import charts
from reports.client_document import Document, Table, Tile

_STYLE = """
:root{--ink:#1f2937;--faint:#6b7280;--line:#e5e7eb;--brand:#0d7a6f;--good:#0d7a6f;--bad:#c2473d}
*{box-sizing:border-box}
body{margin:0;background:#f3f4f6;color:var(--ink);font:15px/1.5 "DejaVu Sans",system-ui,"Segoe UI",sans-serif}
main{max-width:900px;margin:32px auto;background:#fff;padding:44px 52px;border-radius:14px;
box-shadow:0 1px 3px #0001,0 12px 40px #0000000d}
header{border-bottom:3px solid var(--brand);padding-bottom:18px;margin-bottom:28px}
header p{margin:0;color:var(--faint)}
h1{margin:2px 0;font-size:30px;line-height:1.2}
h2{font-size:18px;margin:36px 0 12px}
.tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:12px}
.tile{border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile span{display:block;color:var(--faint);font-size:12px}
.tile b{display:block;font-size:21px;white-space:nowrap;font-variant-numeric:tabular-nums}
.tile i{font-style:normal;font-size:12px;color:var(--faint)}
.tile i.good{color:var(--good)}.tile i.bad{color:var(--bad)}
.note{color:var(--faint);font-size:12px;margin:8px 0 0}
figure{margin:0}figure svg{width:100%;height:auto;display:block}
table{width:100%;border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--faint);font-size:11.5px;text-align:left;vertical-align:bottom}
th,td{padding:7px 8px;border-bottom:1px solid var(--line)}
td{vertical-align:top}.n{text-align:right;white-space:nowrap}
tfoot td{font-weight:700;border-bottom:0;border-top:2px solid var(--ink)}
footer{margin-top:36px;padding-top:14px;border-top:1px solid var(--line);color:var(--faint);font-size:12px}
@media(max-width:720px){main{margin:0;padding:22px 16px;border-radius:0}.tiles{grid-template-columns:repeat(2,1fr)}
.wide{overflow-x:auto}}
@page{size:A4;margin:14mm}
@media print{body{background:#fff;font-size:12px}
main{margin:0;padding:0;max-width:none;box-shadow:none;border-radius:0}
h2{break-after:avoid}figure,.tile,tr{break-inside:avoid}thead{display:table-header-group}
.tile,header{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""


def as_html(page: Document) -> str:
    """The document as HTML that needs no other file."""
    drawn = "".join(
        f"<section><h2>{escape(title)}</h2><figure>{charts.svg(figure)}</figure></section>"
        for title, figure in page.charts
    )
    note = f'<p class="note">{escape(page.works_note)}</p>' if page.works_note else ""
    return (
        f'<!doctype html><html lang="{page.language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(f'{page.kind}: {page.title}, {page.month}')}</title><style>{_STYLE}</style></head>"
        "<body><main>"
        f"<header><p>{escape(page.kind)}</p><h1>{escape(page.title)}</h1><p>{escape(page.month)}</p></header>"
        f'<div class="tiles">{"".join(map(_tile, page.tiles))}</div>'
        f'<p class="note">% – {escape(page.change_note)}</p>'
        f"{drawn}{_table(page.campaigns)}{_table(page.sales)}{_table(page.works)}{note}"
        f"<footer>{escape(page.foot)}</footer></main></body></html>"
    )


def _tile(tile: Tile) -> str:
    mood = {True: ' class="good"', False: ' class="bad"', None: ""}[tile.good]
    change = f"<i{mood}>{escape(tile.change)}</i>" if tile.change else ""
    return f'<div class="tile"><span>{escape(tile.name)}</span><b>{escape(tile.value)}</b>{change}</div>'


def _table(table: Table) -> str:
    title = f"<h2>{escape(table.title)}</h2>"
    if not table.rows:
        return f'<section>{title}<p class="note">{escape(table.empty)}</p></section>'
    head = _cells(table, table.head, "th")
    body = "".join(f"<tr>{_cells(table, row, 'td')}</tr>" for row in table.rows)
    foot = f"<tfoot><tr>{_cells(table, table.foot, 'td')}</tr></tfoot>" if table.foot else ""
    return (
        f'<section>{title}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>{foot}'
        "</table></div></section>"
    )


def _cells(table: Table, cells: Sequence[str], tag: str) -> str:
    right = ' class="n"'
    return "".join(
        f"<{tag}{right if place >= table.text_columns else ''}>{escape(text)}</{tag}>"
        for place, text in enumerate(cells)
    )
