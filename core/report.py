"""A report as one HTML file that needs nothing else: no script, no network; opens offline and prints.

All text is escaped, pictures are inside the file, and a policy in its head forbids a browser to load anything.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from core.cards import NOTICE
from core.errors import DataRefused

LARGEST = 5_000_000  # bytes of a report
SIDES = (480, 400, 320, 240)  # of the pictures in pixels: the first with which the report is small enough
_STYLE = """
:root { color-scheme: light; font: 15px/1.45 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1b2528; }
body { max-width: 1180px; margin: 0 auto; padding: 20px 24px 40px; background: #fff; }
h1 { font-size: 1.45rem; margin: 0 0 4px; } h2 { font-size: 1.12rem; margin: 28px 0 6px; break-after: avoid; }
h3 { font-size: .95rem; margin: 14px 0 4px; break-after: avoid; }
p { margin: 4px 0; max-width: 90ch; }
.notice { border: 2px solid #9a5b00; background: #fff7ea; color: #6b3f00; padding: 6px 10px; font-weight: 600;
  margin: 10px 0; max-width: none; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 10px 0; }
.facts dt { color: #50605f; } .facts dd { margin: 0; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(240px, 1fr)); gap: 14px; margin: 8px 0; }
figure { margin: 0; break-inside: avoid; } figure b { display: block; margin-bottom: 3px; }
figure img { width: 100%; height: auto; background: #000; display: block; }
figcaption { font-size: .85rem; color: #33423f; margin-top: 4px; overflow-wrap: anywhere; }
img.bar { width: 240px; max-width: 100%; height: 14px; display: block; border: 1px solid #888; }
table { border-collapse: collapse; font-size: .85rem; margin: 6px 0; width: 100%; }
th, td { border: 1px solid #c9d3d5; padding: 3px 7px; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
thead th { background: #eef2f3; } tr { break-inside: avoid; } tbody th { font-weight: 500; white-space: nowrap; }
.cards table { table-layout: fixed; } .cards tbody th { white-space: normal; width: 15%; }
footer { margin-top: 30px; border-top: 1px solid #c9d3d5; padding-top: 8px; font-size: .85rem; }
@page { size: A4 landscape; margin: 12mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 11px; }
  .figures { grid-template-columns: repeat(4, 1fr); gap: 8px; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


@dataclass(frozen=True, eq=False)
class Figure:
    """A picture (PNG) under its title; without a picture the caption says why there is none."""

    title: str
    png: bytes | None
    caption: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows by name; each row has a text for every column. ``is_card``: long texts in columns of equal width."""

    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[str]]
    is_card: bool = False


@dataclass(frozen=True, eq=False)
class Section:
    """One part of a report: sentences, then pictures with their colour bar, then tables, then remarks."""

    title: str
    text: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    bar: tuple[bytes, str] | None = None  # PNG and what its ends mean
    tables: Sequence[Table] = ()
    remarks: Sequence[str] = ()


def report_html(
    title: str, facts: Mapping[str, str], sections: Callable[[int], Sequence[Section]], licence: str
) -> bytes:
    """A report in UTF-8. ``sections(side)`` makes its parts with pictures of that side in pixels.

    Smaller pictures are asked for until the file is at most LARGEST bytes; DataRefused: size, if none will do.
    """
    size = 0
    for side in SIDES:
        content = _html(title, facts, sections(side), licence).encode()
        size = len(content)
        if size <= LARGEST:
            return content
    raise DataRefused("size", f"This report has {size:,} bytes, more than the {LARGEST:,} allowed.")


def _html(title: str, facts: Mapping[str, str], sections: Sequence[Section], licence: str) -> str:
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    notice = f'<p class="notice" role="note">{escape(NOTICE)}</p>'
    return (
        '<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<h1>{escape(title)}</h1>\n{notice}\n<dl class="facts">{listed}</dl>\n'
        + "\n".join(map(_section, sections))
        + f"\n<footer><p>{escape(NOTICE)}</p><p>Licence of the pictures: {escape(licence)}</p></footer>\n"
        "</body>\n</html>\n"
    )


def _section(one: Section) -> str:
    figures = "".join(map(_figure, one.figures))
    parts = [f"<h2>{escape(one.title)}</h2>", *_sentences(one.text)]
    parts += [f'<div class="figures">{figures}</div>'] if figures else []
    if one.bar is not None:
        said = escape(one.bar[1])
        parts.append(f'<img class="bar" alt="{said}" src="{_address(one.bar[0])}"><p>{said}</p>')
    parts += [*map(_table, one.tables), *_sentences(one.remarks)]
    return f"<section>{''.join(parts)}</section>"


def _sentences(said: Sequence[str]) -> list[str]:
    return [f"<p>{escape(sentence)}</p>" for sentence in said]


def _figure(one: Figure) -> str:
    said = escape(f"{one.title}: {one.caption}" if one.caption else one.title)
    picture = f'<img alt="{said}" src="{_address(one.png)}">' if one.png is not None else ""
    return (
        f"<figure><b>{escape(one.title)}</b>{picture}<figcaption>{escape(one.caption)}</figcaption></figure>"
    )


def _table(one: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in ("", *one.columns))
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
        for name, cells in one.rows.items()
    )
    title = f"<h3>{escape(one.title)}</h3>" if one.title else ""
    table = f"{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="cards">{table}</div>' if one.is_card else table


def _address(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
