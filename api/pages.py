"""Pages: templates, what they may call, and the route that answers errors as pages and not as problems.

Every page carries a strict Content-Security-Policy: scripts and styles from this origin only, nothing inline. Vega runs
under it because its expressions are interpreted (``ast``), not compiled.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from api import charts, vega
from api.access import csrf_of, session_of
from api.problems import status_of
from detectors.catalogue import CATALOGUE, metric_title
from detectors.point import Measurement
from monitor.access import Principal
from monitor.errors import InvalidInput, Unauthenticated, VigilError
from monitor.model import ModelSpec

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SYMBOLS = {
    "ok": "✓", "breach": "▲", "inconclusive": "◐", "unknown": "?",
    "critical": "‼", "warning": "!", "info": "i",
    "open": "●", "acknowledged": "◐", "resolved": "✓", "closed": "■",
}  # fmt: skip


class Page(APIRoute):
    """A route whose errors are pages; who is not signed in is sent to sign in, and comes back."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await handler(request)
            except Unauthenticated:
                response = _to_sign_in(request)
            except RequestValidationError as error:
                named = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
                response = _error(request, InvalidInput(named, "Go back and send it again"))
            except VigilError as error:
                response = _error(request, error)
            response = _compressed(request, response)
            response.headers["Content-Security-Policy"] = POLICY
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return handle


def render(request: Request, template: str, who: Principal | None, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from its template."""

    def here(**changes: str | None) -> str:
        """This page with some of its parameters changed; ``None`` takes one away."""
        kept = {k: v for k, v in {**request.query_params, **changes}.items() if v is not None and k != "said"}
        return request.url.path + (f"?{urlencode(kept)}" if kept else "")

    page = _environment.get_template(template)
    csrf = csrf_of(request) if who else ""
    return HTMLResponse(page.render(who=who, here=here, path=request.url.path, csrf=csrf, **values), status)


def local_path(text: str) -> str:
    """A path of this site to go on to; anything that could lead elsewhere becomes ``/``.

    >>> local_path("/models/churn?window=1"), local_path("//evil.example"), local_path("/\\\\evil.example")
    ('/models/churn?window=1', '/', '/')
    """
    plain = text.startswith("/") and text.isprintable() and "\\" not in text and not text.startswith("//")
    return text if plain else "/"


def headline(spec: ModelSpec) -> str:
    """The metric that stands for a model's performance."""
    return {"regression": "mae", "ranking": "ndcg"}.get(spec.task, "roc_auc")


def number_format(metric: str) -> str:
    """The D3 format that a metric's axis is written in."""
    entry = CATALOGUE.get(metric)
    return "~%" if entry is not None and entry.unit == "share" else "~g"


def shown(value: float | None, metric: str = "") -> str:
    """A value for people, in three figures; a dash for unknown.

    >>> shown(0.81234), shown(0.0123, "missing_rate"), shown(None), shown(1234567.0)
    ('0.812', '1.23%', '–', '1,234,567')
    """
    if value is None:
        return "–"
    if metric and number_format(metric) == "~%":
        return f"{value * 100:.3g}%"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def change(value: float | None, metric: str = "") -> str:
    """A difference of two values for people, with its sign; of shares in percentage points.

    >>> change(-0.0312, "accuracy"), change(0.5, "mae"), change(None)
    ('-3.12 points', '+0.5', '–')
    """
    if value is None:
        return "–"
    return f"{value * 100:+.3g} points" if metric and number_format(metric) == "~%" else f"{value:+.3g}"


def sampled(row_count: Measurement) -> str:
    """Of which share of the rows a window's figures are, as its row count tells; nothing where all were sent.

    >>> sampled(Measurement(600.0, 60)), sampled(Measurement(60.0, 60))
    ('sampled at 10%', '')
    """
    total = row_count.value or 0.0
    return f"sampled at {row_count.n / total * 100:.3g}%" if total > row_count.n else ""


def told(value: Any) -> str:
    """A value of the audit trail for people, in few words.

    >>> told(None), told(True), told(["read", "operate"]), told("ana")
    ('–', 'yes', 'read, operate', 'ana')
    """
    if isinstance(value, bool | None):
        return {None: "–", True: "yes", False: "no"}[value]
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "–"
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def headed(metric: str) -> str:
    """A metric's name as it begins a line.

    >>> headed("mae_difference"), headed("selection_rate")
    ('MAE difference', 'Selection rate')
    """
    title = metric_title(metric)
    return title[:1].upper() + title[1:]


def worse(value: float, metric: str) -> bool:
    """Whether a change of a metric is one for the worse; not where neither way is."""
    entry = CATALOGUE.get(metric)
    bad = {"higher is worse": 1, "lower is worse": -1}.get((entry and entry.direction) or "", 0)
    return value * bad > 0


def when(instant: datetime | None, how: str = "minute") -> Markup:
    """An instant in UTC, as a ``day``, ``short`` or with its zone; the script adds the viewer's own time as a title."""
    if instant is None:
        return Markup("–")
    at = instant.astimezone(UTC)
    text = at.strftime({"day": "%Y-%m-%d", "short": "%Y-%m-%d %H:%M"}.get(how, "%Y-%m-%d %H:%M UTC"))
    return Markup('<time datetime="{}">{}</time>').format(at.isoformat().replace("+00:00", "Z"), text)


def status(word: str, note: str = "") -> Markup:
    """A status: its symbol and its word, never a colour alone."""
    after = Markup(" <span class=note>{}</span>").format(note) if note else ""
    return Markup('<span class="status {}"><span class=symbol aria-hidden=true>{}</span> {}</span>{}').format(
        word, SYMBOLS[word], word, after
    )


def spark(values: list[float], what: str) -> Markup:
    """A sparkline: the values from left to right, and where the last one stands."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    step, span = 96 / (len(values) - 1), (high - low) or 1.0
    points = [(2 + i * step, 22 - 20 * (v - low) / span if high > low else 12) for i, v in enumerate(values)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    label = f"{what} over {len(values)} windows, from {values[0]:.3g} to {values[-1]:.3g}"
    return Markup(
        '<svg class=spark viewBox="0 0 100 24" width=100 height=24 role=img aria-label="{}">'
        '<polyline points="{}"/><circle cx="{:.1f}" cy="{:.1f}" r=2 /></svg>'
    ).format(label, line, *points[-1])


def bar(share: float, meant: str) -> Markup:
    """A bar of 0 to 1, to be seen beside its number; ``meant`` is the class that gives its colour."""
    width = 60 * min(max(share, 0.0), 1.0)
    return Markup(
        '<svg class="bar {}" viewBox="0 0 60 10" width=60 height=10 aria-hidden=true>'
        '<rect x=0 y=1 width="{:.1f}" height=8 rx=1 /></svg>'
    ).format(meant, width)


def static(name: str) -> str:
    """An asset's address, which changes with its content, so that browsers may keep it for ever."""
    return f"/static/{name}?v={vega.VERSION if name == 'vega.js' else ASSETS[name][1]}"


def _to_sign_in(request: Request) -> Response:
    if request.method != "GET":
        return RedirectResponse("/sign-in", 303)
    # The cookie is SameSite=Strict, so a link from a chat arrives without it: the same page asked for anew by this
    # very site brings it along.
    if session_of(request) is None and request.headers.get("sec-fetch-site") == "cross-site":
        return render(request, "again.html", None)
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in" if asked == "/" else f"/sign-in?next={quote(asked)}", 303)


def _error(request: Request, error: VigilError) -> Response:
    number, title = status_of(error)
    return render(request, "error.html", None, number, title=title, detail=error.detail, mend=error.mend)


def _compressed(request: Request, response: Response) -> Response:
    """A page with its charts' numbers is an eighth as long in gzip. Its length could betray the token of its forms, but
    no other site can ask for a page with the cookie, which is SameSite=Strict."""
    wanted = "gzip" in request.headers.get("accept-encoding", "") and len(response.body) > 2000
    if not wanted or "content-encoding" in response.headers:
        return response
    response.body = gzip.compress(response.body, 2, mtime=0)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    response.headers["Vary"] = "Accept-Encoding"
    return response


def _asset(name: str) -> tuple[bytes, str]:
    content = (files("api") / "static" / name).read_bytes()
    return content, hashlib.sha256(content).hexdigest()[:12]


ASSETS = {name: _asset(name) for name in ("console.css", "console.js", "keys.js", "charts.js", "icon.svg")}
_environment = Environment(
    loader=PackageLoader("api"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_environment.globals |= {
    "when": when, "status": status, "spark": spark, "bar": bar, "static": static, "symbols": SYMBOLS,
    "detector": charts.detector_title, "worse": worse,
}  # fmt: skip
_environment.filters |= {
    "shown": shown, "change": change, "metric": metric_title, "headed": headed, "sampled": sampled,
    "segment": lambda text: quote(text, safe=""), "host": lambda url: urlsplit(url).hostname or url, "told": told,
}  # fmt: skip
