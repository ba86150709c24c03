"""Settings: environment (``VIGIL_*``) over file (TOML) over default; what is unknown or ill-typed is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from monitor.addresses import MASK, check_database, in_schema, without_password
from monitor.errors import InvalidSettings
from monitor.identity import networks

PREFIX = "VIGIL_"
CONFIG = "VIGIL_CONFIG"      # the one variable that is no setting: it names the file


def _setting(
    default: object,
    doc: str,
    *,
    least: int = 1,
    most: int | None = None,
    choices: tuple[str, ...] = (),
    secret: bool = False,
) -> Any:
    """A field whose metadata says what it is for, which values it takes, and whether these may be repeated."""
    said = {"doc": doc, "least": least, "most": most, "choices": choices, "secret": secret}
    return field(default=default, metadata=said)


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Everything about a running Vigil that is not a model's declaration. Each field is one setting.

    >>> Settings().database_url, Settings().log_url
    ('sqlite:///var/vigil/vigil.db', 'sqlite:///var/vigil/vigil-log.db')
    >>> Settings(data_dir=Path("/var/lib/vigil")).database_url
    'sqlite:////var/lib/vigil/vigil.db'
    """

    data_dir: Path = _setting(      # noqa: RUF009  a field with an immutable default
        Path("var/vigil"), "Folder of all that Vigil writes; the databases lie in it."
    )
    database_url: str = _setting(
        "",
        "The state's database, `sqlite:///PATH`, and the log beside it; if empty, `vigil.db` in `data_dir`. Or both in "
        "one database of PostgreSQL, `postgresql://USER:PASSWORD@HOST/DATABASE` ([postgresql.md](postgresql.md)).",
        secret=True,
    )
    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _setting(8000, "Port to listen on; 0 takes a free one.", least=0, most=65_535)
    worker: Literal["embedded", "process", "none"] = _setting(
        "process",
        "`process` folds and judges in a process beside the service's, which uses a second core; `embedded` does so in "
        "the service's own, with less memory and at half the speed; `none` leaves it to `vigil worker`.",
        choices=("embedded", "process", "none"),
    )
    tick_seconds: int = _setting(10, "Seconds between two looks at the clock: windows that time closes or settles.")
    max_body_bytes: int = _setting(32 * 2**20, "Largest request body in bytes; above it, 413.")
    max_unpacked_bytes: int = _setting(
        64 * 2**20, "Most bytes that a body with a `Content-Encoding` may unpack to; above it, 413."
    )
    max_held_bytes: int = _setting(
        128 * 2**20, "Bytes of bodies held in memory at a time; above it, 429 with `Retry-After`."
    )
    body_seconds: int = _setting(60, "Seconds in which a body must have come; above it, 408.")
    max_rows_per_batch: int = _setting(100_000, "Most rows of one request; above it, 413.")
    max_backlog_rows: int = _setting(
        5_000_000, "Rows logged and not yet folded at which ingest answers 429 with `Retry-After`."
    )
    retention_raw_days: int = _setting(
        400, "Days that rows are kept from their arrival, and what is known by an id ([retention.md](retention.md))."
    )
    retention_protected_days: int = _setting(
        30, "Days that protected attributes are kept once the model's `label_delay` has passed since their arrival."
    )
    retention_summaries_days: int = _setting(
        1_095, "Days from the last arrival in them that summaries are kept, and what batches said of themselves."
    )
    retention_rejects_days: int = _setting(90, "Days that rejected rows' places and reasons are kept.")
    trusted_proxies: str = _setting(
        "",
        "Addresses and networks of proxies, with commas between them, whose `X-Forwarded-*` and identity headers are "
        "believed; if empty, `X-Forwarded-*` from this machine and no identity.",
    )
    mesh_identity_header: str = _setting(
        "",
        "Header in which a trusted proxy names who sends events without a key ([kserve.md](kserve.md)), such as "
        "`X-Forwarded-Client-Cert`; if empty, none is believed.",
    )
    public_url: str = _setting(
        "", "Where people find the console, such as `https://vigil.example.org`; if empty, as the request says."
    )
    session_hours: int = _setting(12, "Hours for which a person stays signed in.", most=24 * 30)
    acknowledge_link_minutes: int = _setting(
        60, "Minutes for which a link acknowledges an incident ([people.md](people.md)).", most=24 * 60
    )
    oidc_issuer: str = _setting(
        "", "Provider of OpenID Connect at which people sign in ([people.md](people.md)); if empty, none."
    )
    oidc_client_id: str = _setting("", "What the provider knows Vigil by.")
    oidc_client_secret: str = _setting("", "The secret that it gave Vigil.", secret=True)
    oidc_claim: str = _setting("groups", "Claim of the ID token that gives the role.")
    oidc_roles: str = _setting(
        "", "Roles by that claim's values: `ml-admins=admin, ml-oncall=responder`. Without one nobody gets in."
    )
    metrics: bool = _setting(True, "Whether Prometheus finds `/metrics`, which asks for no key.")
    notify: bool = _setting(True, "Whether anybody is told of incidents ([channels.md](channels.md)).")
    notify_file: str = _setting(
        "", "File with the routes (a YAML list) of models that declare no `notify` ([channels.md](channels.md))."
    )
    smtp_url: str = _setting(
        "", "Mail server that email is handed to: `smtp://USER:PASSWORD@HOST:587`, or `smtps://`.", secret=True
    )
    mail_from: str = _setting("", "Address that email comes from.")
    pagerduty_secrets: str = _setting(
        "", "Secrets of PagerDuty's webhooks, with commas between them; if empty, none is taken.", secret=True
    )
    heartbeat_url: str = _setting(
        "", "Address that is asked as long as evaluation and delivery go on ([channels.md](channels.md)).", secret=True
    )
    heartbeat_seconds: int = _setting(60, "Seconds between two heartbeats.")
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "Least severity that is logged.", choices=("debug", "info", "warning", "error")
    )
    log_format: Literal["console", "json"] = _setting(
        "console", "Log lines for people, or one JSON object a line.", choices=("console", "json")
    )
    url: str = _setting("http://127.0.0.1:8000", "Where the command line finds the service.")
    key: str = _setting("", "The key that the command line sends; the service itself needs none.", secret=True)

    def __post_init__(self) -> None:
        if not self.database_url:
            object.__setattr__(self, "database_url", f"sqlite:///{self.data_dir / 'vigil.db'}")
        check_database(self.database_url)
        networks(self.trusted_proxies)

    @property
    def on_server(self) -> bool:
        """Whether the databases are PostgreSQL's. There they are two schemas of one database."""
        return not self.database_url.startswith("sqlite:")

    @property
    def database_file(self) -> Path:
        """The SQLite file of the state."""
        return Path(self.database_url.removeprefix("sqlite:///"))

    @property
    def log_file(self) -> Path:
        """The SQLite file of the log: an append would wait for the state's commits if both were one file."""
        file = self.database_file
        return file.with_name(f"{file.stem}-log{file.suffix}")

    @property
    def state_url(self) -> str:
        """Where the state is opened: ``database_url``, on PostgreSQL with the state's schema.

        >>> Settings(database_url="postgresql://db/vigil?sslmode=require").state_url
        'postgresql://db/vigil?sslmode=require&options=-csearch_path%3Dvigil_state'
        """
        return in_schema(self.database_url, "vigil_state") if self.on_server else self.database_url

    @property
    def log_url(self) -> str:
        """Where the log is opened."""
        return in_schema(self.database_url, "vigil_log") if self.on_server else f"sqlite:///{self.log_file}"

    def environment(self) -> dict[str, str]:
        """The variables that make these settings in another process, passwords and all: of use for a child alone.

        >>> load_settings(Settings(port=9000, metrics=False).environment()) == Settings(port=9000, metrics=False)
        True
        """
        return {PREFIX + f.name.upper(): _text(getattr(self, f.name)) for f in fields(self)}

    def shown(self) -> dict[str, str]:
        """Each setting as text that may be printed and logged: a secret is masked, of a URL its password."""
        values = {f.name: _text(getattr(self, f.name)) for f in fields(self)}
        masked = {f.name: MASK for f in fields(self) if f.metadata["secret"] and values[f.name]}
        return values | masked | {"database_url": without_password(self.database_url)}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value}' for name, value in self.shown().items())})"


def load_settings(env: Mapping[str, str], file: Path | None = None) -> Settings:
    """Read the settings: ``VIGIL_PORT`` in ``env`` wins over ``port`` in ``file``, which wins over the default.
    Where no ``file`` is given, ``VIGIL_CONFIG`` may name one.

    Raises ``InvalidSettings`` for an unknown name (with the nearest known one), a wrong type or a value out of range.

    >>> load_settings({"VIGIL_PORT": "9000", "PATH": "/bin"}).port
    9000
    >>> load_settings({"VIGIL_PROT": "9000"})
    Traceback (most recent call last):
    monitor.errors.InvalidSettings: environment variable VIGIL_PROT is no setting. The nearest is VIGIL_PORT
    """
    known = {f.name: f for f in fields(Settings)}
    values: dict[str, Any] = {}
    if file is None and env.get(CONFIG):
        file = Path(env[CONFIG])
    for name, value in _read_file(file).items() if file else ():
        if name not in known:
            raise InvalidSettings(f"'{name}' in {file} is no setting", _nearest(name))
        values[name] = _typed(known[name], value, f"'{name}' in {file}")
    variables = {PREFIX + name.upper(): name for name in known}
    for variable in sorted(v for v in env if v.startswith(PREFIX) and v != CONFIG):
        if variable not in variables:
            raise InvalidSettings(f"environment variable {variable} is no setting", _nearest(variable))
        of = known[variables[variable]]
        values[of.name] = _typed(of, _from_text(of, env[variable]), variable)
    return Settings(**values)


def settings_table() -> str:
    """The table of ``docs/settings.md``, one row a setting; ``vigil config show`` prints the same words."""
    rows = ["| in the environment | in the file | default | what it does |", "| --- | --- | --- | --- |"]
    for f in fields(Settings):
        default = f"`{_text(f.default)}`" if f.default != "" else ""
        rows.append(f"| `{PREFIX}{f.name.upper()}` | `{f.name}` | {default} | {f.metadata['doc']} |")
    return "\n".join(rows) + "\n"


def _read_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"the settings file {file} cannot be read: {error}") from error


def _nearest(name: str) -> str:
    """Names the nearest setting in the same spelling: ``VIGIL_PORT`` for a variable, ``port`` for a key of the file."""
    prefix = PREFIX if name.startswith(PREFIX) else ""
    known = [f.name for f in fields(Settings)]
    close = get_close_matches(name.removeprefix(prefix).lower(), known, n=1)
    spelt = [prefix + (n.upper() if prefix else n) for n in close or sorted(known)]
    return f"The nearest is {spelt[0]}" if close else f"Known are {', '.join(spelt)}"


def _from_text(of: Field[Any], text: str) -> object:
    """A variable's text as the type that a TOML file would have given; what does not fit stays text, and is refused."""
    if isinstance(of.default, bool):
        return {"true": True, "false": False}.get(text.lower(), text)
    if isinstance(of.default, int):
        try:
            return int(text)
        except ValueError:
            return text
    return text


def _typed(of: Field[Any], value: object, where: str) -> object:
    """The value as the setting's own type. The message repeats the value of no setting that may hold a secret."""
    wanted = _wanted(of)
    said = "what was given" if of.metadata["secret"] else repr(value)
    if isinstance(of.default, bool) or not isinstance(of.default, int):
        kind = bool if isinstance(of.default, bool) else str
        if not isinstance(value, kind) or (of.metadata["choices"] and value not in of.metadata["choices"]):
            raise InvalidSettings(f"{where} must be {wanted}, and {said} is not")
        return Path(str(value)) if isinstance(of.default, Path) else value
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidSettings(f"{where} must be {wanted}, and {said} is not")
    if value < of.metadata["least"] or (of.metadata["most"] is not None and value > of.metadata["most"]):
        raise InvalidSettings(f"{where} must be {wanted}, and {said} is out of range")
    return value


def _wanted(of: Field[Any]) -> str:
    if of.metadata["choices"]:
        return f"one of {', '.join(of.metadata['choices'])}"
    if isinstance(of.default, bool):
        return "true or false"
    if isinstance(of.default, int):
        most = of.metadata["most"]
        return f"a whole number from {of.metadata['least']}" + (f" to {most}" if most is not None else " up")
    return "text"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
