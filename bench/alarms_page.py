"""The published page of the alarms: what was promised and what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from scipy import special

from bench.alarms_fairness import GROUPS, MIXED, Equal
from bench.alarms_fairness import SIZES as GROUP_SIZES
from bench.alarms_nulls import Null
from bench.alarms_peers import PeerPower
from bench.alarms_power import ALONE, PLANTED, RUN, SHIFTS, SIZES, Found, Power
from bench.alarms_real import FLIGHTS, REAL
from bench.alarms_streams import INDEPENDENT, REFERENCE_BLOCKS, REFERENCE_ROWS, REFERENCE_WINDOWS
from bench.alarms_trial import Tally
from monitor.judge import defaults

DAYS = 365
PROMISED = DAYS / 1_000

_HEAD = f"""# False alarms and what is found: measured

`make bench ONLY=alarms PEERS=1 WRITE=docs/alarms.md` makes this page. Everything goes the service's own way: summaries,
drift and quality measured against a reference, the default monitors ([monitors.md](monitors.md)), verdicts, and an
incident by two breaches in the last three windows. The model has 50 features of the shapes that the peers are measured
on (normal, lognormal, exponential, Poisson, categories of 3 to 50 values, some with 2 % missing) and a score.

The default for drift is a breach when the Jensen-Shannon distance exceeds {defaults.DRIFT:g} with its whole interval
and its p-value, corrected over all columns of the window (Benjamini and Hochberg), is at most {defaults.DRIFT_ALPHA:g}.
"""

_NULLS = f"""## Quiet where nothing happened

At most 0.1 % of feature-windows in breach and one incident in 1,000 windows of the whole model: that is promised for
every size. A feature-window is a window of one column, in breach if any of its monitors is: drift, missing values,
unseen categories, values out of range.

Independent rows have a reference of {REFERENCE_ROWS:,} in {REFERENCE_BLOCKS} blocks, as the peers have it. Up to 2,000
rows a window they are drawn one by one; beyond as counts, by the multinomial law of the true cell probabilities, which
is exact in distribution for a column. Rows that hang together are drawn one by one after a reference of
{REFERENCE_WINDOWS} windows (the season: of 90 days in quarters), each column by itself, which is the hardest for a
correction over columns:

- *daily and weekly season*: windows of a quarter of a day; the mean swings by 0.5 deviations with the hour and by 0.2
  on average with the weekday.
- *autocorrelated*: from row to row, by 0.5 and by 0.9.
- *clustered by person*: ten rows in a row are one person's, who makes half of their variance.
- *slow wander*, *slower wander*: the mean walks between walls 0.3 deviations to either side, which takes some 25 and
  some 100 windows to cross, and after the reference within what the reference has seen. *Not confined*, it goes on to
  the walls where the reference of 90 windows has not been. That is beyond the promise, which is for the reference's own
  range, and it is **not kept** there: what a reference is too short to show is taken for drift.
- *census, shuffled*: all rows of 2015 to 2018 in a new order, the first 68,785 of them the reference, weekly windows.
- *flights*: each week, and each day, of the reference's months, January to March 2013, against all others. These are
  real rows: the coldest week lies beyond the range of the other weeks, and a storm is a storm.
"""

_POWER = f"""## Awake where something did

A run is {RUN} windows of which one feature (each numeric one in turn) has moved by so many of its own deviations; the
others have not. *Found* is the share of its windows that are in breach, *until* the median of windows until the first
is (an incident opens with the second; "-" where half of the runs have none). *Planted* are the six columns that the
workload's own drift moves at once (normals by 0.2, 0.4 and 0.6, a lognormal by a factor of 1.15, a Poisson's mean from
5 to 5.5, the shares of three categories turned about).

Vigil's defaults hold 0.1 % for the whole window of 51 columns, so that its false alarms in a column are far fewer. The
peers judge column by column, the same shapes and shifts: at their defaults, with the share of false alarms that these
give, and *at 0.1 %*, with the threshold that one in a thousand of their own windows without drift exceeds. Vigil's own
*at 0.1 %* is beside that: each column by itself, at a p-value of {ALONE:g}.
"""

_FAIRNESS = f"""## Equal groups

Groups of one size, or of sizes spread evenly by their logarithm from 30 to 30,000, with the same rates (40 % positive,
a true positive rate of 0.7 and a false positive rate of 0.15), through the default monitors of fairness: the
demographic parity ratio below {defaults.PARITY_RATIO:g}, the equal opportunity and equalized odds differences above
{defaults.PARITY_DIFFERENCE:g}. *By the value* is how often the four-fifths rule alone, without an interval and a
minimum size, would have called the same windows unfair.
"""


def page(
    quiet: Sequence[tuple[Null, Tally]],
    awake: Mapping[tuple[str, int], Found],
    others: Sequence[PeerPower],
    alike: Mapping[tuple[int, int | str], Equal],
) -> str:
    """All of it as Markdown; without peers their columns are left out."""
    parts = [
        _HEAD, _budget(quiet, alike), _NULLS, _null_table(quiet), _POWER, _power_table(awake, others),
        _FAIRNESS, _fairness_table(alike),
    ]  # fmt: skip
    return "\n".join(parts)


def _budget(quiet: Sequence[tuple[Null, Tally]], alike: Mapping[tuple[int, int | str], Equal]) -> str:
    kinds: dict[str, list[Tally]] = {}
    for null, tally in quiet:
        kinds.setdefault(_kind(null.process), []).append(tally)
    sums = {kind: sum(tallies, Tally()) for kind, tallies in kinds.items()}
    sums["fairness, equal groups"] = sum((e.tally for e in alike.values()), Tally())
    rows = [
        (kind, f"{t.windows:,}", str(t.incidents), f"{PROMISED:.3f}", f"{_a_year(t.incidents, t.windows):.3f}",
         f"{_a_year(float(special.gammaincinv(t.incidents + 1, 0.95)), t.windows):.3f}")
        for kind, t in sums.items()
    ]  # fmt: skip
    return (
        "## The budget: incidents in a model-year that mean nothing\n\n"
        f"A year of daily windows is {DAYS}; a model-year may hold {PROMISED:.3f} false incidents.\n\n"
        + _table(("rows", "windows", "incidents", "promised a year", "achieved", "at most (95 %)"), rows)
    )


def _kind(process: str) -> str:
    if process == INDEPENDENT:
        return "independent"
    if "not confined" in process:
        return "wander beyond the reference"
    return "real" if process in REAL else "hang together"


def _a_year(incidents: float, windows: int) -> float:
    return incidents / windows * DAYS if windows else 0.0


def _null_table(quiet: Sequence[tuple[Null, Tally]]) -> str:
    rows = [
        (null.process, _rows_of(null), f"{t.windows:,}", f"{t.feature_windows:,}",
         f"{t.share:.3%}", f"{t.per_thousand:.2f}")
        for null, t in quiet
    ]  # fmt: skip
    head = ("rows", "of a window", "windows", "feature-windows", "in breach", "incidents in 1,000 windows")
    return _table(head, rows)


def _rows_of(null: Null) -> str:
    if null.process in REAL:
        return "a day" if FLIGHTS.get(null.process) == 1 else "a week"
    return f"{null.n:,}"


def _power_table(awake: Mapping[tuple[str, int], Found], others: Sequence[PeerPower]) -> str:
    peers = sorted({p.peer for p in others})
    head = ["moved", "rows of a window", "Vigil found", "until", "at 0.1 %", "until"]
    for peer in peers:
        head += [f"{peer} found", "false alarms", "until", "at 0.1 %", "until"]
    rows = []
    for case in (*(f"{s:g}" for s in SHIFTS), PLANTED):
        for n in SIZES:
            row = [f"{case} deviations" if case != PLANTED else case, f"{n:,}", *_found(awake[case, n].default),
                   *_found(awake[case, n].alone)]  # fmt: skip
            for peer in peers:
                theirs = next(p for p in others if (p.peer, p.case, p.n) == (peer, case, n))
                share, until = _found(theirs.default)
                row += [share, f"{theirs.false_alarms:.1%}", until, *_found(theirs.matched)]
            rows.append(row)
    return _table(head, rows)


def _found(power: Power) -> tuple[str, str]:
    return f"{power.share:.0%}", "-" if power.until is None else f"{power.until:g}"


def _fairness_table(alike: Mapping[tuple[int, int | str], Equal]) -> str:
    rows = []
    for groups in GROUPS:
        for size in (*GROUP_SIZES, MIXED):
            e = alike[groups, size]
            shares = [f"{e.verdicts[kind] / e.judged:.2%}" for kind in ("breach", "ok", "inconclusive", "unknown")]
            shown = size if isinstance(size, str) else f"{size:,}"
            rows.append([str(groups), shown, f"{e.windows:,}", *shares, f"{e.by_the_value / e.windows:.1%}"])
    return _table(("groups", "of", "windows", "breach", "ok", "inconclusive", "unknown", "by the value"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
