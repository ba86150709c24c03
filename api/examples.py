"""What the questions of a window answer, for the OpenAPI document: figures of the shipped census stream, shortened."""

from __future__ import annotations

from typing import Any

_WINDOW = {"start": "2016-01-01T00:00:00Z", "end": "2016-04-01T00:00:00Z"}
_NOWHERE = dict.fromkeys(("version", "feature", "output", "attribute", "group", "segment"))


def _point(metric: str, value: float, low: float, high: float, n: int) -> dict[str, Any]:
    return {
        "metric": metric, "scope": _NOWHERE, "window": _WINDOW, "value": value, "interval": [low, high],
        "confidence": 0.95, "p_value": None, "n": n, "status": "known", "reason": None, "coverage": 1.0,
        "provisional": False, "reference": "reference", "estimate": False, "revision": 1,
    }  # fmt: skip


_AREA = _point("roc_auc", 0.9048, 0.9003, 0.9091, 17188)
_CALIBRATION = _point("expected_calibration_error", 0.0097, 0.0, 0.015, 17188)

REPORT: dict[str, Any] = {
    "model": "census-employment",
    "window": _WINDOW,
    "reference": "reference",
    "sampling": None,
    "points": [_AREA],
    "verdicts": [
        {"monitor": "roc_auc/model", "verdict": "ok", "reason": None, "limit": 0.8534, "severity": "critical",
         "needed": None, "point": _AREA}
    ],
    "causes": [
        {"feature": "ANC", "metric": "jensen_shannon", "value": 0.0336, "interval": [0.0235, 0.0425], "output": -0.0012,
         "text": "ANC moved 0.03 (0.02 to 0.04) from reference, in Jensen-Shannon distance, which moves the output by "
                 "-0.0012"}
    ],
    "carriers": [
        {"axis": "ANC", "group": "1", "metric": "brier", "carried": -0.0017, "by_mean": -0.0016, "by_share": -0.0001,
         "before": 0.1272, "after": 0.1239, "share_before": 0.5233, "share_after": 0.4854}
    ],
    "correlations": [],
}  # fmt: skip

EXPLANATION: dict[str, Any] = {
    "model": "census-employment",
    "window": {"start": "2017-03-01T00:00:00Z", "end": "2017-03-08T00:00:00Z"},
    "reference": "reference",
    "auc": {"value": 0.5346, "interval": [0.5068, 0.5622], "confidence": 0.95, "n": 3335, "status": "known",
            "reason": None},
    "text": "The rows of the window are told from those of reference (AUC 0.53, 0.51 to 0.56), most of all by RELP "
            "(87%), ESP (4%), SCHL (2%)",
    "rows": {"reference": 2000, "window": 1335},
    "features": [
        {"feature": "RELP", "share": 0.8712, "columns": [
            {"of": "category", "name": "17", "coefficient": -1.0134, "shift": -0.3036, "share": 0.5667},
            {"of": "category", "name": "16", "coefficient": -0.6667, "shift": -0.195, "share": 0.2395},
            {"of": "other", "name": None, "coefficient": 0.1251, "shift": 0.0614, "share": 0.0141},
        ]},
        {"feature": "AGEP", "share": 0.0021, "columns": [
            {"of": "value", "name": None, "coefficient": 0.0425, "shift": 0.0268, "share": 0.0021},
        ]},
    ],
    "left_out": ["RAC1P", "SEX"],
}  # fmt: skip

EQUIVALENCE: dict[str, Any] = {
    "model": "census-employment",
    "metric": "demographic_parity_difference",
    "attribute": "SEX",
    "margin": 0.1,
    "window": _WINDOW,
    "equivalent": True,
    "text": "The data show that the groups differ by less than 0.1 in selection rate",
    "p_value": 7e-16,
    "interval": [0.0, 0.0199],
    "confidence": 0.9,
    "rates": [
        {"rate": "selection_rate", "equivalent": True, "p_value": 7e-16, "interval": [0.0, 0.0199], "reason": None,
         "reference_group": "1",
         "compared": [{"group": "2", "value": 0.5265, "n": 8928}, {"group": "1", "value": 0.5339, "n": 8260}],
         "left_out": []}
    ],
    "coverage": None,
    "provisional": False,
}  # fmt: skip

_BIN = {"lower": 0.9, "upper": 1.0, "mean_score": 0.9288, "rate": 0.9388, "n": 2043, "interval": [0.9276, 0.9484]}

RELIABILITY: dict[str, Any] = {
    "model": "census-employment",
    "window": _WINDOW,
    "expected_calibration_error": _CALIBRATION,
    "curves": [{"class": "1", "bins": [_BIN], "reference": [_BIN], "expected_calibration_error": _CALIBRATION}],
}

ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/models/{model}/report": REPORT,
    "/v1/models/{model}/explanation": EXPLANATION,
    "/v1/models/{model}/equivalence": EQUIVALENCE,
    "/v1/models/{model}/reliability": RELIABILITY,
}
"""The answer of each path to a ``GET``."""
