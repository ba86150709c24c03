"""The catalogue as a page for people: docs/catalogue.md is what this makes."""

from __future__ import annotations

from detectors.catalogue import CATALOGUE, Entry

_HEAD = """# The catalogue of metrics

Every metric that this version measures, made from `detectors/catalogue` by `vigil metrics list --markdown`. *Worse*
says which way is worse (*neither*: it depends), *needs* what it is made from, *interval* how its 95 % interval is made,
*kept* whether it is stored for every window; the others are measured where a monitor watches them and where a report
asks.
[metrics.md](metrics.md) says how to read a value, and why one can be unknown.
"""
_TITLES = {
    "drift": "Drift",
    "quality": "Data quality",
    "performance": "Performance",
    "estimation": "Performance without outcomes",
    "fairness": "Fairness, by group",
}
_TASKS = {
    "binary_classification": "binary",
    "multiclass_classification": "multiclass",
    "regression": "regression",
    "ranking": "ranking",
}


def catalogue_page() -> str:
    """The whole page, in Markdown."""
    parts = [_HEAD]
    for family, title in _TITLES.items():
        rows = [_row(e) for e in CATALOGUE.values() if e.family == family]
        head = "| metric | what it is | unit | worse | tasks | needs | interval | kept | source |"
        parts.append("\n".join([f"## {title}", "", head, "| --- " * 9 + "|", *rows]) + "\n")
    return "\n".join(parts)


def _row(e: Entry) -> str:
    worse = (e.direction or "neither").removesuffix(" is worse")
    tasks = "any" if len(e.tasks) == len(_TASKS) else ", ".join(_TASKS[t] for t in e.tasks)
    cells = (
        f"`{e.name}`", e.description, e.unit, worse, tasks, ", ".join(e.needs).replace("_", " "),
        e.interval or "none", "yes" if e.kept else "on demand", e.source,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"
