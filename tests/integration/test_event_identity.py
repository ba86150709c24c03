"""A logger without a key: known by a mesh's header from named proxies, and by nothing that anybody could write."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from databases import Deployment
from events import KServe

from api.server import create
from monitor.app import App
from monitor.model import ModelSpec
from monitor.settings import Settings

with warnings.catch_warnings():     # Starlette would rather have another distribution of httpx
    warnings.simplefilter("ignore", DeprecationWarning)
    warnings.simplefilter("ignore", UserWarning)
    from starlette.testclient import TestClient

PATH = "/v1/ingest/cloudevents"
CENSUS = "spiffe://cluster.local/ns/prod/sa/census-predictor"
PROXY = "10.7.0.5"
XFCC = f'By=spiffe://cluster.local/ns/vigil/sa/vigil;Hash=4687;Subject="";URI={CENSUS}'
SENT = KServe().request("r-1", [[31.0, "a"]])
SOURCE = {"kind": "kserve", "inferenceservice": "churn", "columns": ["age", "plan"], "score": 0}
TINY = {"model": "churn", "task": "binary_classification", "features": {"age": "numeric", "plan": "categorical"}}
Problem = Callable[..., dict[str, Any]]


@pytest.fixture
def settings(deployment: Deployment) -> Settings:
    return deployment.settings(trusted_proxies="10.7.0.0/29, ::1",
                    mesh_identity_header="X-Forwarded-Client-Cert")  # fmt: skip


@pytest.fixture
def known(service: Any) -> Any:
    """One model that declares the identity, and one that does not."""
    assert service.declare(sources=[SOURCE | {"identity": CENSUS}]).status_code == 200
    other = SOURCE | {"inferenceservice": "other"}
    assert service.declare(model="other", sources=[other]).status_code == 201
    return service


def post(vigil: App, peer: str, sent: Any = SENT, extensions: Any = None, **headers: str) -> Any:
    """A request over a connection from ``peer``, without a key."""
    application = create(vigil)

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        await application(scope | ({"extensions": {"tls": extensions}} if extensions else {}), receive, send)

    named = {k.replace("_", "-"): v for k, v in headers.items()}
    return TestClient(wrapped, client=(peer, 41_000)).post(PATH, content=sent.body, headers=sent.headers | named)


def test_a_named_proxy_vouches_for_an_identity_that_a_source_declares(known: Any) -> None:
    answer = post(known.app, PROXY, x_forwarded_client_cert=XFCC)
    assert answer.status_code == 202, answer.text
    assert answer.json()["accepted"] == 1


def test_without_key_and_identity_it_is_401(known: Any, problem: Problem) -> None:
    problem(post(known.app, PROXY), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("10.7.0.8", {"x_forwarded_client_cert": XFCC}),
        ("testclient", {"x_forwarded_client_cert": XFCC}),
        ("192.0.2.1", {"x_forwarded_client_cert": XFCC, "x_forwarded_for": PROXY}),
        ("127.0.0.1", {"x_forwarded_client_cert": XFCC, "x_forwarded_for": PROXY}),
        (PROXY, {"x_spiffe_id": CENSUS}),
        (PROXY, {"x_forwarded_client_cert": f"{XFCC},By=b;URI=spiffe://cluster.local/ns/evil/sa/x"}),
        (PROXY, {"x_forwarded_client_cert": f"{XFCC};URI=spiffe://cluster.local/ns/evil/sa/x"}),
        (PROXY, {"x_forwarded_client_cert": f'By=b;Subject="x,URI={CENSUS}"'}),
        (PROXY, {"x_forwarded_client_cert": CENSUS}),
        (PROXY, {"x_forwarded_client_cert": ""}),
    ],
    ids=[
        "not listed", "no address", "claims to be forwarded by the proxy", "a local proxy that is not listed",
        "another header", "the client's element before the proxy's", "two URIs", "within a quoted subject",
        "not in the header's form", "empty",
    ],
)  # fmt: skip
def test_what_a_sender_could_write_itself_is_not_believed(
    known: Any, problem: Problem, peer: str, headers: dict[str, str]
) -> None:
    problem(post(known.app, peer, **headers), 401, "unauthenticated")
    assert known.app.log.read("churn", 0, 9) == []


def test_an_identity_may_send_for_the_models_that_declare_it_alone(known: Any, problem: Problem) -> None:
    sent = KServe(service="other").request("r-1", [[31.0, "a"]])
    problem(post(known.app, PROXY, sent, x_forwarded_client_cert=XFCC), 403, "forbidden")


def test_an_identity_reads_nothing_and_posts_nothing_else(known: Any, problem: Problem) -> None:
    client = TestClient(create(known.app), client=(PROXY, 41_000), headers={"x-forwarded-client-cert": XFCC})
    problem(client.get("/v1/models"), 401, "unauthenticated")
    problem(client.post("/v1/models/churn/predictions", json=[]), 401, "unauthenticated")


def test_a_key_that_came_counts_and_no_identity_mends_a_bad_one(known: Any, problem: Problem) -> None:
    answer = post(known.app, PROXY, authorization="Bearer vgl_0_0", x_forwarded_client_cert=XFCC)
    problem(answer, 401, "unauthenticated")
    only_reads = post(known.app, PROXY, authorization=known.keys["read"], x_forwarded_client_cert=XFCC)
    problem(only_reads, 403, "forbidden")
    assert post(known.app, "192.0.2.1", authorization=known.keys["ingest"]).status_code == 202


def test_an_identity_is_taken_back_with_its_declaration(known: Any, problem: Problem) -> None:
    assert post(known.app, PROXY, x_forwarded_client_cert=XFCC).status_code == 202
    known.declare(sources=[SOURCE])
    problem(post(known.app, PROXY, x_forwarded_client_cert=XFCC), 401, "unauthenticated")


def test_the_subject_of_a_certificate_that_the_server_checked_itself_is_an_identity(
    known: Any, problem: Problem
) -> None:
    subject = "CN=census-predictor,O=prod"
    known.declare(sources=[SOURCE | {"identity": subject}])
    good = {"client_cert_name": subject, "client_cert_error": None}
    assert post(known.app, "192.0.2.1", extensions=good).status_code == 202
    problem(post(known.app, "192.0.2.1", extensions=good | {"client_cert_error": "expired"}), 401, "unauthenticated")
    problem(post(known.app, "192.0.2.1", extensions={"client_cert_name": None}), 401, "unauthenticated")


class TestPlainHeader:
    @pytest.fixture
    def settings(self, deployment: Deployment) -> Settings:
        return deployment.settings(trusted_proxies=PROXY,
                        mesh_identity_header="X-Client-Subject")  # fmt: skip

    def test_a_proxy_may_name_the_subject_in_a_header_of_its_own(self, known: Any, problem: Problem) -> None:
        known.declare(sources=[SOURCE | {"identity": "CN=census,O=prod"}])
        assert post(known.app, PROXY, x_client_subject="CN=census,O=prod").status_code == 202
        assert post(known.app, f"::ffff:{PROXY}", x_client_subject="CN=census,O=prod").status_code == 202
        twice = [("x-client-subject", "CN=census,O=prod"), ("x-client-subject", "CN=other")]
        client = TestClient(create(known.app), client=(PROXY, 41_000))
        answer = client.post(PATH, content=SENT.body, headers=[*SENT.headers.items(), *twice])
        problem(answer, 401, "unauthenticated")


class TestNobodyIsTrusted:
    @pytest.fixture
    def settings(self, deployment: Deployment) -> Settings:
        return deployment.settings(mesh_identity_header="X-Forwarded-Client-Cert")

    def test_a_header_alone_opens_nothing(self, known: Any, problem: Problem) -> None:
        for peer in ("127.0.0.1", "::1", PROXY):
            problem(post(known.app, peer, x_forwarded_client_cert=XFCC), 401, "unauthenticated")


def test_a_running_service_takes_the_connection_s_own_address(deployment: Deployment) -> None:
    """By default the server would put what X-Forwarded-For says in its place, for whoever connects from here."""
    app = App(deployment.settings())
    app.declare(ModelSpec.from_dict(TINY | {"sources": [SOURCE | {"identity": CENSUS}]}), "ana")
    app.stop()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "VIGIL_DATA_DIR": str(deployment.folder), "VIGIL_PORT": str(port), "VIGIL_WORKER": "none",
           "VIGIL_MESH_IDENTITY_HEADER": "X-Forwarded-Client-Cert"}  # fmt: skip
    headers = SENT.headers | {"X-Forwarded-Client-Cert": XFCC}
    url = f"http://127.0.0.1:{port}"
    for trusted, forwarded, status in ((PROXY, PROXY, 401), ("127.0.0.1", "192.0.2.1", 202)):
        command = [sys.executable, "-m", "monitor.cli", "serve"]
        env["VIGIL_TRUSTED_PROXIES"] = trusted
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as server:
            with httpx.Client(transport=httpx.HTTPTransport(retries=30), timeout=30) as client:
                client.get(f"{url}/livez")
                sent = client.post(url + PATH, content=SENT.body, headers=headers | {"X-Forwarded-For": forwarded})
            server.terminate()
        assert sent.status_code == status, sent.text
