"""What an email says: the same words as plain text and as HTML, with the link to the page and the reader's own one."""

from __future__ import annotations

from html import escape

from incidents.notices import Notice
from monitor.senders.channels.words import headline, sentences

_COLOURS = {"info": "#566174", "warning": "#8a5300", "critical": "#b3261e"}


def as_text(notice: Notice, url: str, acknowledge: str) -> str:
    """Lines of plain text. ``acknowledge``: the reader's own link; empty for none."""
    lines = [headline(notice), "", *sentences(notice), ""]
    if acknowledge:
        lines += [f"Acknowledge it (yours alone, do not forward): {acknowledge}"]
    if url:
        lines += [f"The incident: {url}"]
    return "\n".join([*lines, ""])


def as_html(notice: Notice, url: str, acknowledge: str, pictured: bool) -> str:
    """A page without script, style sheet or anything from elsewhere."""
    colour = _COLOURS[notice.severity.value]
    parts = [f'<p style="border-left:4px solid {colour};padding-left:10px"><b>{escape(headline(notice))}</b></p>']
    parts += [f"<p>{escape(line)}</p>" for line in sentences(notice)]
    if pictured:
        parts.append('<p><img src="cid:chart" alt="the metric over time, with its limit" style="max-width:100%"></p>')
    if acknowledge:
        link = f'<a href="{escape(acknowledge)}"><b>Acknowledge it</b></a>'
        parts.append(f"<p>{link} (yours alone, do not forward)</p>")
    if url:
        parts.append(f'<p><a href="{escape(url)}">Open the incident</a></p>')
    style = "font:14px/1.45 system-ui,sans-serif;color:#1b2330"
    return f'<!doctype html><html><body style="{style}">{"".join(parts)}</body></html>'
