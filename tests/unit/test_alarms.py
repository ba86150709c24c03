"""The promise of the default monitors, at a size that every test run can afford: `make bench ONLY=alarms` tries it at
full size and publishes docs/alarms.md."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from bench import workload
from bench.__main__ import BENCHMARKS
from bench.alarms_fairness import GROUPS, MIXED, equal
from bench.alarms_fairness import SIZES as GROUP_SIZES
from bench.alarms_nulls import Null, one_reference
from bench.alarms_page import page
from bench.alarms_peers import PeerPower
from bench.alarms_power import PLANTED, SIZES, Found, Power, one_run
from bench.alarms_streams import FEATURES, INDEPENDENT, PROCESSES, SPACE, counted, dense, independent_reference, stream
from bench.alarms_trial import MODEL, Tally, Trial, breached
from detectors.drift import measure_drift
from monitor.judge import defaults


@pytest.mark.parametrize(("process", "n"), [(INDEPENDENT, 200), (INDEPENDENT, 20_000), ("clustered by person", 1_000)])
def test_nothing_happened_and_nothing_is_said(process: str, n: int) -> None:
    tally = one_reference(Null(process, n, 1, 12), seed=1)
    assert (tally.windows, tally.feature_windows) == (12, 12 * len(FEATURES))
    assert tally.breached <= 1, "0.1 % of 612 feature-windows"
    assert tally.incidents == 0


def test_a_limit_alone_would_not_be_quiet() -> None:
    window = dense(SPACE, next(stream(INDEPENDENT, 200, np.random.default_rng(1))))
    values = [m.value for metric, _, m in measure_drift(independent_reference(1), window) if metric == "jensen_shannon"]
    assert np.mean([v is not None and v > defaults.DRIFT for v in values]) > 0.5


@pytest.mark.parametrize(
    ("shift", "n", "least"), [(0.5, 1_000, 1.0), (0.2, 1_000, 0.5), (0.2, 20_000, 1.0), (0.1, 20_000, 0.7)]
)
def test_a_shift_of_one_normal_feature_is_found(shift: float, n: int, least: float) -> None:
    ((seen, alone),) = one_run(shift, n, "num_05", 1, windows=4)
    assert np.mean(seen) >= least
    assert all(a >= s for a, s in zip(alone, seen, strict=True)), "a correction only takes away"


def test_the_planted_drifts_are_found() -> None:
    runs = one_run(None, 20_000, PLANTED, 1, windows=2)
    assert len(runs) == len(workload.PLANTED)
    assert all(all(seen) for seen, _ in runs)


def test_a_lasting_shift_opens_one_incident() -> None:
    rng = np.random.default_rng(2)
    usual = stream(INDEPENDENT, 2_000, rng)
    trial = Trial(independent_reference(1))
    for _ in range(4):
        counts = next(usual)
        begin, end = SPACE.column_offsets[:2]
        moved = FEATURES[0].cells(rng.standard_normal(2_000) + 0.5)
        counts[begin:end] = np.bincount(moved, minlength=end - begin)
        said = breached(trial.window(dense(SPACE, counts), 2_000))
        assert said == {"feature:num_00"}
    assert trial.tally == Tally(4, 4 * len(FEATURES), 4, 1)


@pytest.mark.parametrize(("groups", "size"), [(2, 300), (12, 300), (12, MIXED)])
def test_equal_groups_are_not_called_unfair(groups: int, size: int | str) -> None:
    found = equal(groups, size, windows=15)
    assert found.verdicts["breach"] == 0
    assert found.judged == 15 * 3, "three monitors of one attribute"
    assert groups == 2 or found.by_the_value > 0, "the four-fifths rule alone would have"


def test_the_streams_are_what_they_say() -> None:
    rng = np.random.default_rng(3)
    for f in FEATURES:
        assert f.probabilities.sum() == pytest.approx(1.0)
    normal, season = (next(stream(p, 5_000, rng)) for p in (INDEPENDENT, "daily and weekly season"))
    sizes = np.add.reduceat(normal, SPACE.column_offsets[:-1])
    assert (sizes == 5_000).all()
    assert np.add.reduceat(season, SPACE.column_offsets[:-1]).tolist() == sizes.tolist()
    hidden = {name: make(np.random.default_rng(4))(4_000) for name, make in PROCESSES.items()}
    for z in hidden.values():
        assert z.var(axis=1).mean() == pytest.approx(1.0, abs=0.15)
    lagged = {name: np.mean(z[:, 1:] * z[:, :-1]) for name, z in hidden.items()}
    assert lagged["autocorrelated, 0.9"] == pytest.approx(0.9, abs=0.05)
    assert lagged["clustered by person"] == pytest.approx(0.45, abs=0.05)
    cells = counted(SPACE, np.zeros((len(FEATURES), 3), np.int64))
    assert dense(SPACE, cells).size == SPACE.prediction_size
    assert MODEL.monitors is None, "so that the defaults apply"


def test_the_page_says_what_was_measured() -> None:
    tally = Tally(windows=1_000, feature_windows=51_000, breached=51, incidents=2)
    power = Power(((False, True, True), (True, True, True)))
    cases = {(case, n): Found(power, power) for case in ("0.1", "0.2", "0.5", PLANTED) for n in SIZES}
    peer = [PeerPower("peer 1", case, n, power, power, 0.31, 1.0) for case, n in cases]
    alike = {(g, size): equal(g, size, 1) for g in GROUPS for size in (*GROUP_SIZES, MIXED)}
    text = page([(Null(INDEPENDENT, 200, 20, 50), tally)], cases, peer, alike)
    assert "| independent | 1,000 | 2 | 0.365 | 0.730 | 2.298 |" in text, "in a model-year"
    assert "| independent | 200 | 1,000 | 51,000 | 0.100% | 2.00 |" in text
    assert "| 0.1 deviations | 200 | 83% | 1.5 | 83% | 1.5 | 83% | 31.0% | 1.5 | 83% | 1.5 |" in text


def test_every_benchmark_has_its_function() -> None:
    for target in BENCHMARKS.values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))
