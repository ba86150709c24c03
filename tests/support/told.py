"""Notices for the tests of channels: one of each kind that there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from incidents.incident import State
from incidents.notices import Action, Deadline, Notice, NoticeKind
from incidents.verdict import Cause, Change, ChangeKind, Fingerprint, Kind, Severity

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
DRIFT = Notice(
    id="ntc_0123456789abcdef", kind=NoticeKind.OPENED, at=AT, incident="inc_0123456789abcdef", model="churn",
    fingerprint=Fingerprint("churn", Kind.DRIFT), episode=0, severity=Severity.WARNING, state=State.OPEN,
    title="Drift in age and 2 more", summary="Jensen-Shannon distance of age 0.31, above 0.2",
    started_at=AT - timedelta(hours=1), opened_at=AT,
    causes=(Cause("age", "js_distance", 0.31, "moved 0.31"), Cause("plan", "js_distance", 0.2)),
    changes=(Change(ChangeKind.VERSION, AT - timedelta(hours=2), "version v2 serves", "v2"),), by="vigil",
    deadlines=(Deadline("gdpr", "notification", AT + timedelta(hours=72)),),
    actions=(Action(1, "retrain", "ana", AT, AT + timedelta(days=30)),),
)  # fmt: skip


def notice(kind: NoticeKind = NoticeKind.OPENED, **changes: Any) -> Notice:
    """The drift's notice, of another kind and with other fields."""
    return replace(DRIFT, kind=kind, **changes)
