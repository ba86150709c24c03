"""Figures as people read them: durations, shares, reasons."""

from __future__ import annotations

from typing import Any

_SPANS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float) -> str:
    """The two largest units of a duration.

    >>> duration(93_600), duration(90), duration(0.4), duration(2_419_200)
    ('1 d 2 h', '1 min 30 s', '0 s', '28 d')
    """
    left = round(seconds)
    said: list[str] = []
    for size, unit in _SPANS:
        count, left = divmod(left, size)
        if count or said:
            said.append(f"{count} {unit}" if count else "")
        if len(said) == 2:
            break
    return " ".join(w for w in said if w) or "0 s"


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit; a dash where it is not known, for the reason stands beside it.

    >>> quantity(0.975, "ratio"), quantity(3, "count"), quantity(0.25, "per_model_week"), quantity(None, "seconds")
    ('97.5 %', '3', '0.25', '–')
    """
    if value is None:
        return "–"
    if unit == "ratio":
        return f"{value * 100:.1f}".removesuffix(".0") + " %"
    if unit == "seconds":
        return duration(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


UNITS = {
    "per_model_quarter": "per model-quarter",
    "per_model_week": "per model-week",
    "per_million": "per million predictions",
}


def basis(k: dict[str, Any]) -> str:
    """What a figure stands on.

    >>> basis({"unit": "ratio", "value": 0.75, "numerator": 3, "denominator": 4, "n": 4})
    '3 of 4'
    >>> basis({"unit": "per_model_quarter", "value": 0.5, "numerator": 1, "denominator": 2.0, "n": 1})
    '1 in 2 model-quarters'
    """
    top, bottom, unit = k["numerator"], k["denominator"], k["unit"]
    if k["value"] is not None and top is not None and bottom is not None:
        if unit == "ratio":
            return f"{quantity(top, 'count')} of {quantity(bottom, 'count')}"
        if unit == "per_model_quarter":
            return f"{quantity(top, 'count')} in {quantity(bottom, 'count')} model-quarters"
    return f"n = {k['n']:,}"


def reason(word: str) -> str:
    """
    >>> reason("no_incidents")
    'no incidents'
    """
    return word.replace("_", " ")


def moment(text: str | None) -> str:
    """An RFC 3339 instant to the minute, in UTC.

    >>> moment("2018-02-07T16:05:31.402000Z"), moment(None)
    ('2018-02-07 16:05', '–')
    """
    return "–" if text is None else text[:16].replace("T", " ")
