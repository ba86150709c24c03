"""A declaration's text as plain values, and the line that each of them stands on. Bounded in size, depth and count."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

import yaml

from monitor.errors import InvalidDeclaration

Path = tuple[str | int, ...]
Lines = dict[Path, int]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 20_000      # aliases are counted each time they are used, so that a small text cannot grow large


TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep; write it flat"

TOO_MANY = f"holds more than {MAX_VALUES} values; aliases are counted each time they are used"


class _Core(yaml.SafeLoader):
    """YAML with the 1.2 core schema: ``no`` and ``yes`` are text, and only ``true`` and ``false`` are booleans.

    Under YAML 1.1 ``positive_label: yes`` would read as true, and no row with the label "yes" would ever match.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own attribute; copied on the first add)
    _depth = 0
    _count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        self._count += 1
        if self._count > MAX_VALUES:
            raise _fault(TOO_MANY, parent.start_mark.line)
        if self._depth > MAX_DEPTH:
            raise _fault(TOO_DEEP, parent.start_mark.line)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]{1,18}", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Core.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), list(_first))


def read(text: str | bytes, media: Literal["yaml", "json"]) -> tuple[Any, Lines]:
    """The values of a text, and the line (1-based) of each by its path; ``InvalidDeclaration`` if it cannot be read."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _fault(f"is not UTF-8 text: byte {error.start} cannot be read; save it as UTF-8") from None
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _fault(f"is over {MAX_BYTES // 1024} KiB; a declaration is a page or two")
    return _read_json(text) if media == "json" else _read_yaml(text)


def _read_yaml(text: str) -> tuple[Any, Lines]:
    try:
        node = yaml.compose(text, Loader=_Core)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        raise _fault(f"is not YAML: {error.problem or error.context}", at.line if at else None) from None
    except yaml.YAMLError as error:
        raise _fault(f"is not YAML: {' '.join(str(error).split())}") from None
    reader = _Walk()
    return (None if node is None else reader.value(node, ())), reader.lines


def _read_json(text: str) -> tuple[Any, Lines]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({k for k, _ in items}) < len(items):
            twice = next(k for i, (k, _) in enumerate(items) if k in dict(items[:i]))
            raise _fault("stands twice; keep one of them", key=twice)
        return dict(items)

    def no_number(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=no_number)
    except json.JSONDecodeError as error:
        raise _fault(f"is not JSON: {error.msg} (column {error.colno})", error.lineno - 1) from None
    except RecursionError:
        raise _fault(TOO_DEEP) from None
    except ValueError as error:
        raise _fault(f"is not JSON: {error}") from None
    # JSON is nearly YAML: read it a second time for the lines alone. A tab can only stand between its values.
    try:
        lines = _read_yaml(text.replace("\t", " "))[1]
    except InvalidDeclaration:
        lines = {}
    return value, lines


class _Walk:
    """From YAML's nodes to plain values, with their lines."""

    def __init__(self) -> None:
        self.lines: Lines = {}
        self.count = 0

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.count += 1
        line = node.start_mark.line
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise _fault(TOO_MANY, line)
        self.lines.setdefault(path, line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, item in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("has a key that is a list or a map; keys are text", key.start_mark.line)
            if key.value in found:
                raise _fault("stands twice; keep one of them", key.start_mark.line, key=key.value)
            self.lines[*path, key.value] = key.start_mark.line + 1
            found[key.value] = self.value(item, (*path, key.value))
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        match node.tag.removeprefix("tag:yaml.org,2002:"):
            case "bool" if text.lower() in ("true", "false"):
                return text.lower() == "true"
            case "int" if re.fullmatch(r"[-+]?[0-9]{1,18}", text):
                return int(text)
            case "float":
                return _float(text, node)
            case "null":
                return None
            case "str":
                return text
            case _:
                raise _fault(f"has the tag {node.tag}, which is not taken here; leave it out", node.start_mark.line)


def _float(text: str, node: yaml.Node) -> float:
    try:
        return float(text)
    except ValueError:      # only under an explicit tag
        raise _fault("has a number that cannot be read", node.start_mark.line) from None


def _fault(reason: str, line: int | None = None, key: str = "the declaration") -> InvalidDeclaration:
    """One fault of the text as a whole; ``line`` as the parsers count it, from 0."""
    return InvalidDeclaration([{"key": key, "line": None if line is None else line + 1, "reason": reason}])
