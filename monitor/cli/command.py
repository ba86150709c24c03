"""What all commands share: an example in the help, ``--json``, ``--config``; for clients ``--url`` and ``--key``."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from sqlalchemy.exc import DBAPIError

from monitor.cli.client import Client
from monitor.cli.failure import UNREACHABLE, USAGE, Failure
from monitor.cli.out import Out
from monitor.errors import InvalidDeclaration, InvalidSettings, NotDurable, VigilError
from monitor.settings import CONFIG, Settings, load_settings

Function = Callable[..., Any]

_CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), metavar="FILE", help="The settings file (or VIGIL_CONFIG)."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
_URL = click.option("--url", metavar="URL", help="The service's address (or VIGIL_URL).")
_KEY = click.option("--key", metavar="KEY", help="The key to send (or, better, VIGIL_KEY: options show in 'ps').")


def on_service(group: click.Group, name: str, *, example: str, patience: float = 0.0) -> Callable[[Function], Function]:
    """A command that asks a running service. The function gets ``(out, client, ...)``."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def run(as_json: bool, config: Path | None, url: str | None, key: str | None, **kwargs: Any) -> None:
            out = Out(as_json)
            with _failures(as_json):
                settings = settings_of(config)
                address, secret = url or settings.url, key or settings.key
                client = Client(address, secret, patience, lambda why: out.remark(f"{why}; trying again"))
                try:
                    function(out, client, **kwargs)
                finally:
                    client.close()

        return _register(group, name, run, example, (_URL, _KEY, _CONFIG, _JSON))

    return decorate


def on_machine(group: click.Group, name: str, *, example: str) -> Callable[[Function], Function]:
    """A command that works on this machine: on the databases or the settings. It gets ``(out, settings, ...)``."""

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def run(as_json: bool, config: Path | None, **kwargs: Any) -> None:
            with _failures(as_json):
                function(Out(as_json), settings_of(config), **kwargs)

        return _register(group, name, run, example, (_CONFIG, _JSON))

    return decorate


def settings_of(config: Path | None) -> Settings:
    """The settings in force. The file's name is handed on to the parts that read the settings again (the server)."""
    if config is not None:
        os.environ[CONFIG] = str(config.resolve())
    return load_settings(os.environ)


def _register(
    group: click.Group, name: str, run: Function, example: str, options: tuple[Callable[[Function], Function], ...]
) -> Function:
    for option in reversed(options):
        run = option(run)
    epilog = "\b\nExample:\n" + "\n".join(f"  {line}" for line in example.splitlines())
    command: Function = group.command(name, epilog=epilog)(run)
    return command


class _failures:
    """Turns what Vigil refuses into a failure with its exit code, in the form that was asked for."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: Any, error: BaseException | None, _trace: Any) -> None:
        failure = error if isinstance(error, Failure) else _failure(error)
        if failure is not None:
            failure.as_json = self.as_json
            if failure is not error:
                raise failure from error


def _failure(error: BaseException | None) -> Failure | None:
    match error:
        case InvalidDeclaration():
            return Failure("the declaration is not valid", error.mend, faults=error.faults)
        case InvalidSettings():
            return Failure(error.detail, error.mend or "docs/settings.md lists every setting", USAGE)
        case NotDurable():
            return Failure(error.detail, error.mend, UNREACHABLE)
        case VigilError():
            return Failure(error.detail, error.mend)
        case DBAPIError():
            return Failure(f"the database cannot be used: {error.orig}", "'vigil doctor' says more", UNREACHABLE)
        case OSError() if error.filename is not None:
            why = (error.strerror or str(error)).lower()
            return Failure(f"{error.filename}: {why}", "See that the path is right and this user may use it", USAGE)
        case _:
            return None
