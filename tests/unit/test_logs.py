"""Log lines: one shape, and no secret in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from monitor.logs import MASK, SECRET_NAMES, configure


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def lines(to: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in to.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_time_level_and_logger() -> None:
    to = io.StringIO()
    configure("info", "json", to)
    structlog.get_logger("vigil.fold").info("folded", rows=3)
    (line,) = lines(to)
    assert (line["event"], line["rows"], line["level"], line["logger"]) == ("folded", 3, "info", "vigil.fold")
    assert str(line["timestamp"]).endswith("Z")


def test_libraries_write_the_same_shape() -> None:
    to = io.StringIO()
    configure("info", "json", to)
    logging.getLogger("uvicorn.error").warning("address %s in use", "127.0.0.1")
    (line,) = lines(to)
    assert (line["event"], line["level"], line["logger"]) == ("address 127.0.0.1 in use", "warning", "uvicorn.error")


def test_a_line_below_the_level_is_not_written_and_configuring_again_replaces() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("info", "json", first)
    configure("warning", "json", second)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [line["event"] for line in lines(second)] == ["loud"]
    assert first.getvalue() == ""


@pytest.mark.parametrize("format", ["json", "console"])
@pytest.mark.parametrize("name", [*sorted(SECRET_NAMES), "api_key", "Authorization", "smtp_password", "X-Auth-Token"])
def test_a_secret_is_masked_by_its_name(name: str, format: str) -> None:
    to = io.StringIO()
    configure("info", format, to)  # type: ignore[arg-type]
    log = structlog.get_logger()
    log.info("event", **{name: "hunter2", "headers": {name: "hunter2"}, "list": [{name: b"hunter2"}]})
    assert "hunter2" not in to.getvalue()
    assert to.getvalue().count(MASK) == 3


def test_a_secret_is_masked_inside_text_and_exceptions() -> None:
    to = io.StringIO()
    configure("info", "json", to)
    try:
        raise ValueError("no such key: vgl_ab12_hunter2 at postgresql://vigil:hunter2@db/vigil")
    except ValueError:
        structlog.get_logger().exception("failed with vgl_ab12_hunter2")
        logging.getLogger("sqlalchemy").exception("failed")
    first, second = lines(to)
    assert "hunter2" not in to.getvalue()
    assert "vgl_ab12_***" in str(first["exception"])
    assert "postgresql://vigil:***@db/vigil" in str(second["exception"])


def test_the_name_of_a_key_is_no_secret() -> None:
    to = io.StringIO()
    configure("info", "json", to)
    structlog.get_logger().info("key created", key_id=7, key_prefix="ab12")
    (line,) = lines(to)
    assert (line["key_id"], line["key_prefix"]) == (7, "ab12")
