"""A statement on paper: A4, in Roboto, which has the letters of Latin, Greek and Cyrillic. Other scripts are whole in the HTML."""

from collections.abc import Callable

from fpdf import FPDF
from fpdf.fonts import FontFace

_INK, _SOFT, _LINE, _ACCENT = (29, 27, 24), (109, 103, 95), (221, 214, 203), (154, 74, 18)


class _Page(FPDF):
    """Knows its foot, and nothing of statements."""

    def __init__(self, foot: str):
        import font_roboto

        super().__init__(format="A4")
        self._foot = foot
        for style, name in (("", "Roboto"), ("B", "RobotoMedium")):
            self.add_font("Roboto", style, font_roboto.font_files[name])
        self.set_margins(20, 20)
        self.set_auto_page_break(True, 22)
        self.set_draw_color(*_LINE)

    def footer(self):
        self.set_y(-15)
        self.write_in(8, _SOFT)
        self.cell(0, 5, self._foot)
        self.set_x(self.l_margin)
        self.cell(0, 5, f"{self.page_no()} / {{nb}}", align="R")

    def write_in(self, size: float, colour: tuple[int, int, int], style: str = "") -> None:
        self.set_font("Roboto", style, size)
        self.set_text_color(*colour)


def statement(
    statement, amount: Callable, day: Callable, about: Callable, period: str, totals: list[tuple[str, int]], contest: str
) -> bytes:
    """statement: a statements.Statement; the rest is how amounts, days, work, the period and the sums are told."""
    page = _Page(f"{statement.person_id} · {period} · made on {day(statement.made_at)}")
    page.set_title(f"Statement of {statement.name}, {period}")
    page.set_lang("en")
    page.add_page()
    page.write_in(20, _INK, "B")
    page.multi_cell(0, 9, f"Statement of {statement.name}", align="L", new_x="LMARGIN", new_y="NEXT")
    page.write_in(10, _SOFT)
    page.multi_cell(0, 6, f"{statement.person_id} · {period} · amounts in {statement.currency}", align="L", new_x="LMARGIN", new_y="NEXT")
    page.ln(5)
    _totals(page, [(name, amount(minor)) for name, minor in totals])
    _heading(page, "What was decided and paid")
    page.write_in(9, _SOFT)
    page.multi_cell(0, 5, contest, align="L", new_x="LMARGIN", new_y="NEXT")
    page.ln(2)
    if statement.lines:
        rows = [
            (day(line.at), _cell(line), amount(line.claimed), amount(line.accepted), amount(line.amount)) for line in statement.lines
        ]
        _table(page, ("Date", "What", "Claimed", "Accepted", "Amount"), rows, (22, 76, 24, 24, 24), "LLRRR")
    else:
        page.cell(0, 6, "Nothing in this time.", new_x="LMARGIN", new_y="NEXT")
    if statement.waiting:
        _heading(page, "What waits for a decision")
        rows = [
            (day(case.entry.claimed_at), f"{about(case.entry)}\n{case.entry.id}", case.state, day(case.due_at),
             amount(case.entry.claimed))
            for case in statement.waiting
        ]
        _table(page, ("Claimed on", "What", "State", "Due", "Claimed"), rows, (22, 60, 42, 22, 24), "LLLLR")
    return bytes(page.output())


def _cell(line) -> str:
    said = [line.what, f"Reason: {line.reason}" if line.reason else "", line.reference]
    said[-1] += f" · decided by {line.decider}" if line.decider else ""
    return "\n".join(part for part in said if part)


def _totals(page: _Page, totals: list[tuple[str, str]]) -> None:
    width, top = page.epw / len(totals), page.get_y()
    for number, (name, told) in enumerate(totals):
        page.set_xy(page.l_margin + number * width, top)
        page.write_in(9, _SOFT)
        page.cell(width, 5, name)
        page.set_xy(page.l_margin + number * width, top + 6)
        page.write_in(14, _ACCENT if number == len(totals) - 1 else _INK, "B")
        page.cell(width, 7, told)
    page.set_xy(page.l_margin, top + 18)


def _heading(page: _Page, text: str) -> None:
    page.ln(4)
    page.write_in(12, _INK, "B")
    page.cell(0, 8, text, new_x="LMARGIN", new_y="NEXT")
    page.write_in(9, _INK)


def _table(page: _Page, heads: tuple[str, ...], rows: list[tuple[str, ...]], widths: tuple[int, ...], align: str) -> None:
    page.write_in(9, _INK)
    with page.table(
        col_widths=widths, text_align=tuple({"L": "LEFT", "R": "RIGHT"}[letter] for letter in align), line_height=4.6, padding=(1.6, 1),
        borders_layout="HORIZONTAL_LINES", headings_style=FontFace(emphasis="BOLD", color=_SOFT), v_align="TOP",
    ) as table:
        table.row(heads)
        for row in rows:
            table.row(row)
