"""A markdown report as one HTML file that needs nothing else: pictures inside, no script, nothing loaded from outside.

Reports hold names and messages of others, so raw HTML in them stays text, and a picture is taken only from the
report's own folder.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

#: Comments at the start of a report: the mark by which bench knows its own files, and others that it may add.
_COMMENTS = re.compile(r"\A(?:\s*<!--.*?-->)+\s*", re.DOTALL)
#: Only plain words are repeated in the HTML; browsers end a comment in more ways than one.
_MARK = re.compile(r"<!-- [\w ]+ -->")

_PICTURES = {
    ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp",
}  # fmt: skip
#: What a link may lead to; a link without a scheme is to a file beside the report or a place in it.
_LINK_SCHEMES = frozenset({"", "http", "https", "mailto"})

_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1f2328; --faint: #59636e; --line: #d1d9e0; --band: #f6f8fa;
  --link: #0969da; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3; --faint: #9198a1; --line: #3d444d;
  --band: #151b23; --link: #4493f8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 88rem; background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "PingFang SC", "Microsoft YaHei",
  "Noto Sans CJK SC", sans-serif; overflow-wrap: break-word; }
h1, h2, h3 { line-height: 1.25; margin: 2rem 0 0.75rem; }
h1 { margin-top: 0; }
h2 { border-bottom: 1px solid var(--line); padding-bottom: 0.3rem; }
p, ul, ol, blockquote { max-width: 60rem; }
a { color: var(--link); }
blockquote { margin: 1rem 0; padding: 0 1rem; border-left: 4px solid var(--line); color: var(--faint); }
code { font: 0.875em/1.4 ui-monospace, Menlo, Consolas, monospace; background: var(--band); padding: 0.1em 0.3em;
  border-radius: 4px; }
pre { background: var(--band); padding: 0.75rem; overflow-x: auto; }
pre code { padding: 0; }
img { max-width: 100%; height: auto; }
.missing { color: var(--faint); font-style: italic; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: separate; border-spacing: 0; font-size: 0.9rem; font-variant-numeric: tabular-nums;
  border-top: 1px solid var(--line); border-left: 1px solid var(--line); }
th, td { padding: 0.35rem 0.7rem; border-right: 1px solid var(--line); border-bottom: 1px solid var(--line);
  vertical-align: top; min-width: 4rem; max-width: 32rem; background: var(--page); }
th { background: var(--band); }
.right { text-align: right; }
.left { text-align: left; }
.center { text-align: center; }
th:first-child, td:first-child { position: sticky; left: 0; max-width: 18rem; }
@media print { :root { --page: #fff; --text: #000; --faint: #444; --line: #999; --band: #eee; --link: #000; }
  @page { size: landscape; margin: 12mm; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  p, ul, ol, blockquote { max-width: none; }
  .table { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: 0.15rem 0.3rem; min-width: 0; }
  th:first-child, td:first-child { position: static; }
  h1, h2, h3 { break-after: avoid; }
  tr, img { break-inside: avoid; }
  thead { display: table-header-group; } }
"""
#: Should anything foreign ever slip through, the browser still runs no script and fetches nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def page(markdown_text: str, folder: Path, title: str, language: str = "en") -> str:
    """The report as an HTML file. Pictures in `folder` become part of it; of others only the description is left.

    It begins with the mark with which the markdown begins. `language` is the page's, as in `zh`.
    """
    head = _COMMENTS.match(markdown_text)
    mark = _MARK.search(head[0]) if head else None
    body = _renderer(folder).render(markdown_text[head.end() :] if head else markdown_text)
    lines = [
        *([mark[0]] if mark else []),
        "<!DOCTYPE html>",
        f'<html lang="{escape(language)}">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        body.rstrip(),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _renderer(folder: Path) -> MarkdownIt:
    """CommonMark with tables and without raw HTML."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.validateLink = _may_be_linked  # type: ignore[assignment]

    def image(self: object, tokens: Sequence[Token], index: int, options: object, environment: object) -> str:
        token = tokens[index]
        return _image(str(token.attrs.get("src", "")), token.content, folder)

    def cell(self: object, tokens: Sequence[Token], index: int, options: object, environment: object) -> str:
        token = tokens[index]
        side = str(token.attrs.get("style", "")).removeprefix("text-align:")
        return f'<{token.tag} class="{side}">' if side in ("left", "right", "center") else f"<{token.tag}>"

    def opened(self: object, tokens: Sequence[Token], index: int, options: object, environment: object) -> str:
        # To be scrolled by the keyboard, too, it must take the focus.
        return '<div class="table" tabindex="0">\n<table>\n'

    def closed(self: object, tokens: Sequence[Token], index: int, options: object, environment: object) -> str:
        return "</table>\n</div>\n"

    for name, rule in {
        "image": image, "th_open": cell, "td_open": cell, "table_open": opened, "table_close": closed,
    }.items():  # fmt: skip
        parser.add_render_rule(name, rule)
    return parser


def _may_be_linked(address: str) -> bool:
    """Whether a link or a picture to there is made at all; otherwise it stays text."""
    try:
        return urlsplit(address.strip()).scheme.lower() in _LINK_SCHEMES
    except ValueError:  # such as an unclosed bracket in the host's name
        return False


def _image(address: str, description: str, folder: Path) -> str:
    """The picture itself where it is a file in the folder, else what it would show, in words."""
    kept = _read(address, folder)
    if kept is None:
        return f'<span class="missing">{escape(description)}</span>'
    kind, data = kept
    return f'<img src="data:{kind};base64,{base64.b64encode(data).decode()}" alt="{escape(description)}">'


def _read(address: str, folder: Path) -> tuple[str, bytes] | None:
    """Kind and bytes of a picture in the folder; None for anything else."""
    parts = urlsplit(address)
    kind = _PICTURES.get(Path(unquote(parts.path)).suffix.lower())
    if parts.scheme or parts.netloc or kind is None:
        return None
    try:
        path = (folder / unquote(parts.path)).resolve()
        if not path.is_relative_to(folder.resolve()):
            return None
        return kind, path.read_bytes()
    except (OSError, ValueError):  # not there, or no name that a file can have
        return None
