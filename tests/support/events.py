"""Events as the payload loggers of KServe and Seldon send them: header for header, body for body.

The shapes are those of KServe's ``pkg/logger/worker.go`` with the CloudEvents library for Go, which encodes no header's
value, and of MLServer's ``mlserver/cloudevents.py``, which stamps version 0.3 and no time.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

KUBEFLOW = "org.kubeflow.serving.inference"
SELDON = "io.seldon.serving.inference"


@dataclass
class Sent:
    """One event in binary mode."""

    headers: dict[str, str]
    body: bytes

    def structured(self, *, base64_data: bool = False) -> dict[str, Any]:
        """The same event as the JSON format writes it."""
        out: dict[str, Any] = {k.lower()[3:]: v for k, v in self.headers.items() if k.lower().startswith("ce-")}
        out["datacontenttype"] = self.headers.get("Content-Type", "application/json")
        if base64_data:
            return out | {"data_base64": base64.b64encode(self.body).decode()}
        return out | {"data": json.loads(self.body)}


@dataclass
class KServe:
    """The logger beside a predictor. ``annotations`` are those of the InferenceService."""

    service: str = "churn"
    namespace: str = "prod"
    component: str = "predictor"
    endpoint: str = "default"
    annotations: dict[str, str] = field(default_factory=lambda: {"model_version": "v1"})
    content_type: str = "application/json"

    def request(self, id_: str, rows: list[Any], **more: Any) -> Sent:
        return self._sent("request", id_, {"instances": rows}, **more)

    def response(self, id_: str, answers: list[Any], **more: Any) -> Sent:
        return self._sent("response", id_, {"predictions": answers}, **more)

    def _sent(self, side: str, id_: str, body: Any, time: str = "2026-07-01T11:58:00.123456789Z") -> Sent:
        headers = {
            "User-Agent": "Go-http-client/1.1",
            "Ce-Annotations": json.dumps(self.annotations),
            "Ce-Component": self.component,
            "Ce-Endpoint": self.endpoint,
            "Ce-Id": id_,
            "Ce-Inferenceservicename": self.service,
            "Ce-Metadata": '{"X-Request-Id":["front-1"]}',
            "Ce-Namespace": self.namespace,
            "Ce-Source": "http://localhost:9081/",
            "Ce-Specversion": "1.0",
            "Ce-Time": time,
            "Ce-Type": f"{KUBEFLOW}.{side}",
            "Content-Type": self.content_type,      # of the request, on the response too
        }
        if not self.annotations:
            del headers["Ce-Annotations"]
        return Sent(headers, json.dumps(body).encode())


def mlserver(side: str, id_: str, body: dict[str, Any], model: str = "churn-lgbm") -> Sent:
    """What MLServer stamps on an inference, sent on by a logger: CloudEvents 0.3, without a time."""
    headers = {
        "Ce-Specversion": "0.3",
        "Ce-Source": "io.seldon.serving.deployment.mlserver.prod",
        "Ce-Type": f"{SELDON}.{side}",
        "Ce-Modelid": model,
        "Ce-Inferenceservicename": "mlserver",
        "Ce-Endpoint": model,
        "Ce-Id": id_,
        "Ce-Requestid": id_,
        "Ce-Namespace": "prod",
        "Content-Type": "application/json",
    }
    return Sent(headers, json.dumps(body).encode())


def v2_request(id_: str, **columns: list[Any]) -> dict[str, Any]:
    """The Open Inference Protocol's request, a tensor a feature."""
    kinds = {float: "FP64", int: "INT64", str: "BYTES"}
    inputs = [
        {"name": name, "shape": [len(values), 1], "datatype": kinds[type(values[0])], "data": values}
        for name, values in columns.items()
    ]
    return {"id": id_, "inputs": inputs}


def v2_response(id_: str, scores: list[float], model: str = "churn-lgbm", version: str = "v3") -> dict[str, Any]:
    output = {"name": "predict_proba", "shape": [len(scores), 1], "datatype": "FP64", "data": scores}
    return {"model_name": model, "model_version": version, "id": id_, "outputs": [output]}


PATH = "/v1/ingest/cloudevents"
BATCH = "application/cloudevents-batch+json"
STRUCTURED = "application/cloudevents+json; charset=UTF-8"
SOURCES = [
    {"kind": "kserve", "inferenceservice": "churn", "namespace": "prod", "component": "predictor",
     "version": "annotation:model_version", "columns": ["age", "plan", "sex"], "score": 0,
     "protected": {"sex": "sex"}},
    {"kind": "seldon", "model": "churn-lgbm", "score": "predict_proba", "protected": {"sex": "sex"}},
]  # fmt: skip
"""How the tiny model of the integration tests reads them."""

KSERVE = KServe()
ROWS = [[31.0, "a", "f"], [44.0, "b", "m"]]
ASKED, TOLD = KSERVE.request("r-1", ROWS), KSERVE.response("r-1", [[0.2], [0.9]])


def send(service: Any, *sent: Sent) -> Any:
    """Each event in a request of its own; the answer to the last."""
    for one in sent:
        answer = service.client.post(PATH, content=one.body, headers=one.headers)
        assert answer.status_code == 202, answer.text
    return answer


def send_json(service: Any, value: Any, media: str) -> Any:
    """Events in structured mode."""
    return service.client.post(PATH, content=json.dumps(value).encode(), headers={"content-type": media})
