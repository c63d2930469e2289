"""The graph of a client's evidence as SVG: records on the left by system, keys on the right, curves between them.

It needs no font, style sheet or script of anybody's, so that it opens anywhere, under the strictest policy too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from api.language import Language
from schema.enums import IdentifierKind, RecordKind
from sync.identity.graph import Edge, Graph, Node
from sync.identity.grouping import STRENGTH
from sync.identity.likely import PROBABLE

MOST_RECORDS = 80
"""Records that are drawn; of a client with more, those that keys join come first."""

_NODE_W, _NODE_H, _KEY_W, _KEY_H = 300, 40, 330, 34
_LEFT, _TOP, _GAP, _BETWEEN, _CAPTION = 24, 78, 10, 190, 30
_INK, _PALE, _LINE, _ALARM, _DASHED = "#1f2933", "#6b7885", "#8796a5", "#c62828", "#7b52ab"
_FONT = "font-family=\"'Segoe UI', 'Noto Sans', Arial, sans-serif\""
_LETTER = 6.6  # the mean width of a letter at 12 px

_KINDS: Mapping[Language, Mapping[str, str]] = {
    "en": {each.value: each.value for each in RecordKind},
    "ru": {
        **{each.value: each.value for each in RecordKind},
        RecordKind.CONTACT: "контакт",
        RecordKind.COMPANY: "компания",
        RecordKind.LEAD: "заявка",
        RecordKind.CALL: "звонок",
        RecordKind.VISIT: "визит",
        RecordKind.ORDER: "заказ",
        RecordKind.MESSAGE: "сообщение",
    },
}
_KEYS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        IdentifierKind.PHONE: "phone",
        IdentifierKind.EMAIL: "e-mail",
        IdentifierKind.MESSENGER: "messenger",
        IdentifierKind.VISITOR: "visitor",
        IdentifierKind.TAX_ID: "tax id",
        IdentifierKind.VENDOR: "the system says so",
        "call": "one call, logged twice",
        "desk": "name at an office phone",
        "same": "decided by hand",
        PROBABLE: "probable match",
    },
    "ru": {
        IdentifierKind.PHONE: "телефон",
        IdentifierKind.EMAIL: "почта",
        IdentifierKind.MESSENGER: "мессенджер",
        IdentifierKind.VISITOR: "посетитель",
        IdentifierKind.TAX_ID: "ИНН",
        IdentifierKind.VENDOR: "так говорит сама система",
        "call": "один звонок в двух системах",
        "desk": "имя на телефоне офиса",
        "same": "решено человеком",
        PROBABLE: "вероятное совпадение",
    },
}
_TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "Why these records are one client",
        "records": "records: {count}",
        "legend": "thicker: stronger key · dashed: probable, with its weight · red: alone holds it together",
        "bits": "{bits:+.1f} bits",
        "more": "and {count} more records",
        "alone": "without it the client falls apart",
    },
    "ru": {
        "title": "Почему эти записи — один клиент",
        "records": "записей: {count}",
        "legend": "толще — сильнее ключ · пунктир — вероятное, с весом · красное — держит в одиночку",
        "bits": "{bits:+.1f} бит",
        "more": "и ещё записей: {count}",
        "alone": "без него клиент распадётся",
    },
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """Where something stands: its upper edge."""

    y: float
    height: float

    @property
    def middle(self) -> float:
        return self.y + self.height / 2


def draw(graph: Graph, language: Language, *, masked: bool = False) -> str:
    """The picture. ``masked``: without names, phones, e-mails and all other values of keys."""
    nodes = _chosen(graph)
    edges = [edge for edge in graph.edges if sum(node.id in edge.records for node in nodes) > 1]
    texts = _TEXTS[language]
    captions, places, bottom = _left(nodes)
    keys = _right(edges, places)
    height = max([bottom, *(key.y + key.height for key in keys)]) + 24
    if len(nodes) < len(graph.nodes):
        height += 24
    width = _LEFT * 2 + _NODE_W + _BETWEEN + _KEY_W
    title = f"{texts['title']} · {texts['records'].format(count=len(graph.nodes))}"
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" width="{width}"'
        f' height="{height:.0f}" role="img" aria-label={quoteattr(title)}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height:.0f}" fill="#ffffff"/>',
        _text(_LEFT, 32, title, size=18, weight=600),
        _text(_LEFT, 54, texts["legend"], size=12, fill=_PALE),
    ]
    for edge, key in zip(edges, keys, strict=True):
        drawn += [_curve(places[id], key, edge) for id in edge.records if id in places]
    for system, y in captions:
        drawn.append(_text(_LEFT, y + 20, system, size=13, weight=600, fill=_PALE))
    drawn += [_node(node, places[node.id], language, masked=masked) for node in nodes]
    drawn += [_key(edge, key, language, masked=masked) for edge, key in zip(edges, keys, strict=True)]
    if len(nodes) < len(graph.nodes):
        more = texts["more"].format(count=len(graph.nodes) - len(nodes))
        drawn.append(_text(_LEFT, height - 20, more, size=12, fill=_PALE))
    return "\n".join([*drawn, "</svg>", ""])


def _chosen(graph: Graph) -> list[Node]:
    """The records that are drawn, in their order: those on keys that part first, then those on most keys."""
    weight: dict[UUID, tuple[int, int]] = {}
    for edge in graph.edges:
        for id in edge.records:
            alone, keys = weight.get(id, (0, 0))
            weight[id] = alone + edge.parts, keys + 1
    best = sorted(graph.nodes, key=lambda node: (*(-n for n in weight.get(node.id, (0, 0))), node.at, node.id))
    kept = {node.id for node in best[:MOST_RECORDS]}
    return [node for node in graph.nodes if node.id in kept]


def _left(nodes: Sequence[Node]) -> tuple[list[tuple[str, float]], dict[UUID, _Placed], float]:
    """Records one below the other, under the names of their systems."""
    captions, places, y = [], {}, float(_TOP)
    for system, members in groupby(nodes, key=lambda node: node.system):
        captions.append((system, y))
        y += _CAPTION
        for node in members:
            places[node.id] = _Placed(y, _NODE_H)
            y += _NODE_H + _GAP
        y += _GAP
    return captions, places, y


def _right(edges: Sequence[Edge], places: Mapping[UUID, _Placed]) -> list[_Placed]:
    """Each key beside the middle of its records, moved down as far as the one above it needs."""
    wanted = []
    for number, edge in enumerate(edges):
        middles = [places[id].middle for id in edge.records if id in places]
        wanted.append((sum(middles) / len(middles), number))
    found: dict[int, _Placed] = {}
    y = float(_TOP + _CAPTION)
    for middle, number in sorted(wanted):
        height = _KEY_H + (16 if edges[number].parts else 0)
        place = _Placed(max(y, middle - height / 2), height)
        found[number] = place
        y = place.y + height + _GAP
    return [found[number] for number in range(len(edges))]


def _strength(edge: Edge) -> float:
    """How thick a line is, in pixels: from the weakest kind of key to the strongest."""
    if edge.bits is not None:
        return 1.6
    return 1.4 + 0.4 * (max(STRENGTH.values()) - STRENGTH.get(edge.kind, max(STRENGTH.values())))


def _colour(edge: Edge) -> str:
    return _ALARM if edge.parts else _DASHED if edge.bits is not None else _LINE


def _curve(record: _Placed, key: _Placed, edge: Edge) -> str:
    start, end = _LEFT + _NODE_W, _LEFT + _NODE_W + _BETWEEN
    bend = _BETWEEN * 0.5
    dashes = ' stroke-dasharray="6 5"' if edge.bits is not None else ""
    return (
        f'<path d="M{start} {record.middle:.1f}C{start + bend:.0f} {record.middle:.1f} {end - bend:.0f}'
        f' {key.middle:.1f} {end} {key.middle:.1f}" fill="none" stroke="{_colour(edge)}"'
        f' stroke-width="{_strength(edge):.1f}" stroke-opacity="0.75"{dashes}/>'
    )


def _node(node: Node, place: _Placed, language: Language, *, masked: bool) -> str:
    said = node.said if node.said and not masked else ""
    what = f"{_KINDS[language][node.kind.value]} · {node.at:%Y-%m-%d %H:%M}"
    lines = [(said, 13, _INK), (what, 11, _PALE)] if said else [(what, 12, _INK)]
    drawn = [
        f'<rect x="{_LEFT}" y="{place.y:.1f}" width="{_NODE_W}" height="{place.height}" rx="7" fill="#f4f6f8"'
        f' stroke="#c9d1d9"/>'
    ]
    first = place.y + (17 if said else 25)
    for number, (line, size, fill) in enumerate(lines):
        drawn.append(_text(_LEFT + 12, first + 16 * number, _short(line, _NODE_W - 24, size), size=size, fill=fill))
    return "".join(drawn)


def _key(edge: Edge, place: _Placed, language: Language, *, masked: bool) -> str:
    texts, x = _TEXTS[language], _LEFT + _NODE_W + _BETWEEN
    dashes = ' stroke-dasharray="6 5"' if edge.bits is not None else ""
    drawn = [
        f'<rect x="{x}" y="{place.y:.1f}" width="{_KEY_W}" height="{place.height}" rx="15"'
        f' fill="{"#fdecea" if edge.parts else "#ffffff"}" stroke="{_colour(edge)}" stroke-width="1.5"{dashes}/>',
        _text(x + 16, place.y + 22, _short(_called(edge, language, masked=masked), _KEY_W - 32, 13), size=13),
    ]
    if edge.parts:
        drawn.append(_text(x + 16, place.y + 39, texts["alone"], size=11, fill=_ALARM))
    return "".join(drawn)


def _called(edge: Edge, language: Language, *, masked: bool) -> str:
    """A key in words, with its value where that says anything to a person."""
    kinds = _KEYS[language]
    if edge.bits is not None:
        return f"{kinds[PROBABLE]} · {_TEXTS[language]['bits'].format(bits=edge.bits)}"
    special = edge.value.partition(":")[0] if edge.kind == IdentifierKind.VENDOR else ""
    name = kinds.get(special, kinds.get(edge.kind, edge.kind))
    return name if masked or edge.kind == IdentifierKind.VENDOR else f"{name} · {edge.value}"


def _short(text: str, width: float, size: int) -> str:
    most = int(width / (_LETTER * size / 12))
    return text if len(text) <= most else text[: most - 1] + "…"


def _text(x: float, y: float, text: str, *, size: int, weight: int = 400, fill: str = _INK) -> str:
    return (
        f'<text x="{x}" y="{y:.1f}" {_FONT} font-size="{size}" font-weight="{weight}" fill="{fill}">'
        f"{escape(text)}</text>"
    )
