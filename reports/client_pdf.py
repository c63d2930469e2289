"""The monthly report as PDF, by fpdf2 (pure Python) with the DejaVu fonts of matplotlib's wheel."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from reports import charts
from reports.client_document import Document, Table, Tile

_INK, _FAINT, _LINE = (31, 41, 55), (107, 114, 128), (229, 231, 235)
_BRAND, _BAD = (13, 122, 111), (194, 71, 61)
_LEFT, _WIDTH = 15.0, 180.0
_FONT = "DejaVu"


def as_pdf(page: Document) -> bytes:
    """The document on pages of A4."""
    from fpdf import FPDF

    class Paper(FPDF):
        def footer(self) -> None:
            self.set_y(-12)
            self.set_font(_FONT, size=7)
            self.set_text_color(*_FAINT)
            self.cell(_WIDTH, 5, f"{page.title} · {page.month} · {self.page_no()}", align="R")

    paper = Paper(format="A4")
    paper.set_margins(_LEFT, 14, _LEFT)
    paper.set_auto_page_break(True, 16)
    paper.set_title(f"{page.kind}: {page.title}, {page.month}")
    paper.set_lang(page.language)
    for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
        paper.add_font(_FONT, style, _fonts() / name)
    paper.add_page()
    sheet = _Sheet(paper)
    sheet.head(page)
    sheet.tiles(page.tiles, page.change_note)
    for title, figure in page.charts:
        sheet.picture(title, charts.png(figure, 200), *figure.get_size_inches())
    for table, widths in (
        (page.campaigns, (46, 22, 17, 18, 18, 19, 24, 16)),
        (page.sales, (14, 56, 42, 40, 28)),
        (page.works, (14, 34, 92, 40)),
    ):
        sheet.table(table, widths)
    sheet.line(page.works_note)
    sheet.line(page.foot)
    return bytes(paper.output())


def _fonts() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf")


class _Sheet:
    """Puts the parts of the document on paper, one below the other."""

    def __init__(self, paper: object) -> None:
        from fpdf import FPDF

        assert isinstance(paper, FPDF)  # noqa: S101 - the import stays where a PDF is asked for
        self._paper = paper

    def _text(self, size: float, colour: tuple[int, int, int] = _INK, style: str = "") -> None:
        self._paper.set_font(_FONT, style, size)
        self._paper.set_text_color(*colour)

    def head(self, page: Document) -> None:
        paper = self._paper
        self._text(9, _FAINT)
        paper.cell(_WIDTH, 5, page.kind, new_x="LMARGIN", new_y="NEXT")
        self._text(20, style="B")
        paper.multi_cell(_WIDTH, 9, page.title or " ", new_x="LMARGIN", new_y="NEXT")
        self._text(10, _FAINT)
        paper.cell(_WIDTH, 6, page.month, new_x="LMARGIN", new_y="NEXT")
        paper.set_draw_color(*_BRAND)
        paper.set_line_width(0.8)
        paper.line(_LEFT, paper.get_y() + 2, _LEFT + _WIDTH, paper.get_y() + 2)
        paper.ln(7)

    def tiles(self, tiles: Sequence[Tile], note: str) -> None:
        paper, gap, across, height = self._paper, 4.0, 4, 21.0
        width = (_WIDTH - gap * (across - 1)) / across
        top = paper.get_y()
        paper.set_draw_color(*_LINE)
        paper.set_line_width(0.3)
        for number, tile in enumerate(tiles):
            x, y = _LEFT + (width + gap) * (number % across), top + (height + gap) * (number // across)
            paper.rect(x, y, width, height, round_corners=True, corner_radius=2)
            for text, size, style, colour, down in (
                (tile.name, 7.5, "", _FAINT, 2.5),
                (tile.value, 13, "B", _INK, 7.5),
                (tile.change, 7.5, "", {True: _BRAND, False: _BAD, None: _FAINT}[tile.good], 14.5),
            ):
                self._text(size, colour, style)
                paper.set_xy(x + 2, y + down)
                paper.cell(width - 4, 5, text)
        paper.set_xy(_LEFT, top + (height + gap) * -(-len(tiles) // across))
        self.line(f"% – {note}")

    def picture(self, title: str, png: bytes, width: float, height: float) -> None:
        high = _WIDTH * height / width
        self._title(title, high + 4)
        self._paper.image(BytesIO(png), x=_LEFT, w=_WIDTH)
        self._paper.ln(2)

    def table(self, table: Table, widths: Sequence[float]) -> None:
        self._title(table.title, 24)
        if not table.rows:
            self.line(table.empty)
            return
        from fpdf.fonts import FontFace

        paper, columns = self._paper, len(table.head)
        align = ["LEFT" if place < table.text_columns else "RIGHT" for place in range(columns)]
        paper.set_draw_color(*_LINE)
        paper.set_line_width(0.2)
        self._text(7.5)
        with paper.table(
            col_widths=tuple(widths),
            text_align=tuple(align),
            width=_WIDTH,
            line_height=4.2,
            padding=1.1,
            borders_layout="HORIZONTAL_LINES",
            headings_style=FontFace(emphasis="BOLD", color=_FAINT, size_pt=7),
        ) as drawn:
            for row in (table.head, *table.rows):
                cells = drawn.row()
                for text in row:
                    cells.cell(text)
            if table.foot is not None:
                cells = drawn.row(style=FontFace(emphasis="BOLD"))
                for text in table.foot:
                    cells.cell(text)

    def line(self, text: str) -> None:
        if text:
            self._text(7.5, _FAINT)
            self._paper.ln(1.5)
            self._paper.multi_cell(_WIDTH, 4, text, new_x="LMARGIN", new_y="NEXT")

    def _title(self, title: str, room: float) -> None:
        """A heading, on the next page if what follows has no room below it."""
        if self._paper.will_page_break(room + 12):
            self._paper.add_page()
        else:
            self._paper.ln(6)
        self._text(12, style="B")
        self._paper.cell(_WIDTH, 8, title, new_x="LMARGIN", new_y="NEXT")
