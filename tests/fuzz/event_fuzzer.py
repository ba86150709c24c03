"""Mutated events through their reader: ``event_fuzzer.py [libFuzzer's options]``.

Whatever headers and bytes come, each event is taken or refused with a reason, or the request as a whole is an error of
Vigil's own. The seeds are events in the real shape.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parents[1] / "support"), str(Path(__file__).parents[2])]
with atheris.instrument_imports(include=["monitor.events"], enable_loader_override=False):
    from monitor.events.cloudevents import Refused, decode
    from monitor.events.families import annotations_of, fields_of, read
    from monitor.events.route import Routes

from events import ASKED, BATCH, SOURCES, STRUCTURED, TOLD, Sent, mlserver, v2_request  # noqa: E402

from monitor.errors import VigilError  # noqa: E402
from monitor.events.pairing import Half  # noqa: E402
from monitor.events.stored import to_rows  # noqa: E402
from monitor.model import ModelSpec  # noqa: E402

SPEC = ModelSpec.from_dict({
    "model": "churn", "task": "binary_classification", "favourable": 1, "protected_attributes": {"sex": {}},
    "sources": SOURCES,
})  # fmt: skip
ROUTES = Routes({"churn": SPEC.sources})


def one_input(data: bytes) -> None:
    """Lines of headers, an empty line, and the body."""
    head, _, body = data.partition(b"\n\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(b":") for line in head.splitlines())]
    try:
        events, refused = decode(headers, body, 50)
    except VigilError as error:
        str(error).encode("utf-8", "backslashreplace")
        return
    places = [event.place for event in events] + [reject.row for reject in refused]
    assert sorted(places) == list(range(len(places)))
    for event in events:
        try:
            logged = read(event)
            ROUTES.find(logged)
        except Refused as why:
            why.reason.encode()
            continue
        annotations_of(event.attributes)
        fields_of(event.attributes)
        to_rows([Half(logged.id, logged.node, logged.side, 0, None, "{}", event.content_type, event.data)])


def _binary(sent: Sent) -> bytes:
    return "\n".join(f"{name}: {value}" for name, value in sent.headers.items()).encode() + b"\n\n" + sent.body


def seeds() -> list[bytes]:
    seldon = mlserver("request", "s-1", v2_request("s-1", age=[31.0], plan=["a"]))
    both = [ASKED.structured(), TOLD.structured(base64_data=True), seldon.structured()]
    structured = [f"content-type: {STRUCTURED}\n\n{json.dumps(one)}".encode() for one in both]
    return [_binary(ASKED), _binary(TOLD), _binary(seldon), *structured,
            f"content-type: {BATCH}\n\n{json.dumps(both)}".encode()]  # fmt: skip


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for i, seed in enumerate(seeds()):
            (Path(corpus) / str(i)).write_bytes(seed)
        atheris.Setup([sys.argv[0], *arguments, "-rss_limit_mb=1500", corpus], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
