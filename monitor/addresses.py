"""Where a database is, as a URL: what may stand in it, and how it may be shown."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from monitor.errors import InvalidSettings

MASK = "***"
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def check_database(url: str) -> None:
    """Raise ``InvalidSettings`` for a URL that names no database of SQLite or PostgreSQL. What is wrong is said without
    the URL, which may hold a password."""
    scheme = url.partition(":")[0]
    if scheme in _POSTGRESQL:
        _check_server(url)
        return
    path = url.removeprefix("sqlite:///")
    if path in (url, "", ":memory:") or "?" in path:
        raise InvalidSettings(
            "database_url must be sqlite:///PATH with the path of a file, or postgresql://USER:PASSWORD@HOST/DATABASE",
            "Four slashes begin an absolute path: sqlite:////var/lib/vigil/vigil.db",
        )


def _check_server(url: str) -> None:
    try:
        parts = urlsplit(url)
        named = bool(parts.path.strip("/")) and "@" not in parts.path and parts.port != 0
    except ValueError:
        named = False
    if not named:
        raise InvalidSettings(
            "database_url must name a database of PostgreSQL: postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
            "A password's special characters are written as percent signs and two digits: %40 for @",
        )


def in_schema(url: str, schema: str) -> str:
    """The URL of a database of PostgreSQL with the schema that is looked into, behind whatever options it has.

    >>> in_schema("postgres://db/vigil?sslmode=require", "vigil_log")
    'postgresql://db/vigil?sslmode=require&options=-csearch_path%3Dvigil_log'
    """
    base, _, query = url.partition("?")
    named = parse_qsl(query, keep_blank_values=True)
    options = [value for key, value in named if key == "options"] + [f"-csearch_path={schema}"]
    written = [*((key, value) for key, value in named if key != "options"), ("options", " ".join(options))]
    return f"postgresql://{base.partition('://')[2]}?{urlencode(written, quote_via=quote)}"


def without_password(url: str) -> str:
    """A database's URL as it may be shown.

    >>> without_password("postgresql://vigil:secret@db/vigil?sslpassword=secret")
    'postgresql://vigil:***@db/vigil?sslpassword=***'
    """
    try:
        password = urlsplit(url).password
    except ValueError:
        return MASK
    masked = url.replace(f":{password}@", f":{MASK}@") if password else url
    return re.sub(r"([?&](?:ssl)?password=)[^&]*", rf"\1{MASK}", masked)
