"""Groups that are treated alike through the default fairness monitors: whatever is found is a false alarm."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from bench.alarms_trial import Tally, Trial, breached
from detectors.reference import Reference
from detectors.summaries.fold import fold_outcomes, fold_predictions
from detectors.summaries.grids import CategoryGrid, UniformGrid
from detectors.summaries.space import ALL, Axis, Column, Space
from detectors.summaries.summary import Ints
from incidents.verdict import VerdictKind
from monitor.judge.defaults import PARITY_RATIO
from monitor.model import ModelSpec, ProtectedAttribute

GROUPS = (2, 3, 6, 12)
SIZES = (30, 300, 3_000, 30_000)
MIXED = "30 to 30,000"
POSITIVE, TRUE_POSITIVE, FALSE_POSITIVE = 0.4, 0.7, 0.15      # the same in every group; 37 % are selected
SPEC = ModelSpec(
    "trial", "binary_classification", favourable="1", protected_attributes={"attribute": ProtectedAttribute()}
)


@dataclass(frozen=True)
class Equal:
    """What came of windows with equal groups: by verdict, and how often a limit alone would have called it."""

    windows: int
    verdicts: Mapping[str, int]
    tally: Tally
    by_the_value: int

    @property
    def judged(self) -> int:
        return sum(self.verdicts.values())


def equal_groups(quick: bool, workers: int) -> dict[tuple[int, int | str], Equal]:
    """By the number of groups and their size; ``MIXED`` spreads the sizes evenly by their logarithm."""
    jobs = [(groups, size) for groups in GROUPS for size in (*SIZES, MIXED)]
    with ProcessPoolExecutor(workers) as pool:
        many = [100 if quick else 1_000] * len(jobs)
        return dict(zip(jobs, pool.map(equal, *zip(*jobs, strict=True), many), strict=True))


def equal(groups: int, size: int | str, windows: int) -> Equal:
    """Windows of equal groups, as many as are wanted."""
    sizes = np.geomspace(SIZES[0], SIZES[-1], groups).astype(np.int64) if size == MIXED else np.full(groups, size)
    rng = np.random.default_rng([groups, *sizes.tolist()])
    space = _space(groups)
    trial = Trial(Reference.build("reference", space, []), SPEC, "fairness")
    one = _rows(space, groups)
    verdicts: dict[str, int] = {kind.value: 0 for kind in VerdictKind}
    by_the_value = 0
    for _ in range(windows):
        counts = np.array([rng.multinomial(n, _cells()) for n in sizes])
        predictions, outcomes = (np.tensordot(counts.ravel(), part, 1) for part in one)
        said = trial.window(predictions, int(sizes.sum()), outcomes)
        for verdict in said:
            verdicts[verdict.kind.value] += 1
        selected = counts.reshape(groups, 2, 2)[:, 1].sum(axis=1) / sizes
        by_the_value += bool(selected.min() < PARITY_RATIO * selected.max())
        assert breached(said) <= {"attribute:attribute"}
    return Equal(windows, verdicts, trial.tally, by_the_value)


def _cells() -> list[float]:
    """The probabilities of (decision, label), rejected first."""
    fn, tp = POSITIVE * (1 - TRUE_POSITIVE), POSITIVE * TRUE_POSITIVE
    fp, tn = (1 - POSITIVE) * FALSE_POSITIVE, (1 - POSITIVE) * (1 - FALSE_POSITIVE)
    return [tn, fn, fp, tp]


def _space(groups: int) -> Space:
    names = tuple(f"g{i}" for i in range(groups))
    columns = (Column("output", "score", UniformGrid(2)),)
    return Space("binary_classification", columns, (ALL, Axis("attribute", "attribute", CategoryGrid(names))))


def _rows(space: Space, groups: int) -> tuple[Ints, Ints]:
    """The dense prediction and outcome counts of one row of each (group, decision, label): summaries are sums."""
    predictions, outcomes = [], []
    one = np.ones(1, np.int64)
    for group in range(1, groups + 1):
        for decision in (0, 1):
            for label in (0, 1):
                where, d, y = [one, one * group], one * decision, one * label
                predictions.append(fold_predictions(space, [one], where, d).dense(space.prediction_size))
                outcomes.append(fold_outcomes(space, one, where, d, y, np.zeros(1)).dense(space.outcome_size))
    return np.array(predictions), np.array(outcomes)
