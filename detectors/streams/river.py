"""River's detectors, each behind the same few calls: begin anew, take in values, write and read the state.

River is imported at its first use: it brings in whatever of pandas and scikit-learn is installed, which takes seconds
that the start of a service need not wait for. The private names of River read here are fixed for a minor version, which
is why a state names the one it was written by; the tests hold every detector to River's own signals.
"""

from __future__ import annotations

import array
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable
from importlib import import_module
from itertools import compress, count
from typing import Any

from detectors.streams.settings import Settings
from detectors.streams.state import UnreadableState
from detectors.summaries.summary import Floats


class Detector(ABC):
    """One detector on its way through a stream."""

    river: Any

    def __init__(self, settings: Settings) -> None:
        self.settings = {k: v for k, v in settings.items() if k not in ("block", "warm_up")}
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """Forget everything, as River does after a change."""

    @abstractmethod
    def fields(self) -> tuple[list[float], bytes]:
        """The state: numbers, and bytes where River writes its own."""

    @abstractmethod
    def restore(self, fields: list[float], rest: bytes) -> None:
        """Go on from what ``fields`` gave."""

    def feed(self, values: list[float]) -> int | None:
        """Take in values up to the first change, and give the place of the one it was seen at; ``None``: no change."""
        return next(compress(count(), map(self.updater(), values)), None)

    def updater(self) -> Callable[[float], bool]:
        river, update = self.river, self.river.update

        def take(value: float) -> bool:
            update(value)
            return river._drift_detected  # type: ignore[no-any-return]

        return take

    @property
    def sign(self) -> int:
        """Of a change just found: +1 a rise, -1 a fall, 0 where the detector does not tell."""
        return 0


class Adwin(Detector):
    """ADWIN. Bifet and Gavaldà, "Learning from time-changing data with adaptive windowing", SIAM SDM 2007.

    River's class adds nothing to its compiled helper but a call and an attribute for each value, so the helper is
    called as it is.
    """

    def begin(self) -> None:
        self.river = import_module("river._river_rust").drift.AdaptiveWindowing(**self.settings)

    def updater(self) -> Callable[[float], bool]:
        return self.river.update  # type: ignore[no-any-return]

    def fields(self) -> tuple[list[float], bytes]:
        return [], self.river.__getstate__()

    def restore(self, fields: list[float], rest: bytes) -> None:
        try:
            self.river.__setstate__(rest)
        except BaseException as error:      # a panic of Rust is no Exception
            if type(error).__name__ != "PanicException":
                raise
            raise UnreadableState("the state is none of ADWIN's") from None


class _Python(Detector):
    """What River keeps in attributes: ``NUMBERS`` of its object (dots go inside), absent ones as NaN."""

    MODULE = "river.drift.binary"
    CLASS: str
    NUMBERS: tuple[str, ...]

    def begin(self) -> None:
        self.river = getattr(import_module(self.MODULE), self.CLASS)(**self.settings)

    def fields(self) -> tuple[list[float], bytes]:
        found = [_follow(self.river, name.split(".")) for name in self.NUMBERS]
        return [float("nan") if x is None else float(x) for x in found], b""

    def restore(self, fields: list[float], rest: bytes) -> None:
        for name, value in zip(self.NUMBERS, fields, strict=True):
            *way, last = name.split(".")
            setattr(_follow(self.river, way), last, None if value != value else value)


class PageHinkley(_Python):
    """Page-Hinkley. Page, "Continuous inspection schemes", Biometrika 41, 1954; Hinkley, Biometrika 58, 1971."""

    MODULE, CLASS = "river.drift", "PageHinkley"
    NUMBERS = ("_x_mean.n", "_x_mean._mean", "_sum_increase", "_sum_decrease", "_min_increase", "_max_decrease")

    @property
    def sign(self) -> int:
        rise = self.river._sum_increase - self.river._min_increase > self.river.threshold
        return 1 if rise and self.settings["mode"] != "down" else -1


class Ddm(_Python):
    """DDM. Gama, Medas, Castillo and Rodrigues, "Learning with drift detection", SBIA 2004."""

    CLASS = "DDM"
    NUMBERS = ("_p.n", "_p._mean", "_p_min", "_s_min", "_ps_min", "_warning_detected")
    sign = 1


class Eddm(_Python):
    """EDDM. Baena-García et al., "Early drift detection method", 4th Workshop on Knowledge Discovery from Data Streams,
    2006."""

    CLASS = "EDDM"
    NUMBERS = (
        "_error_distances.mean.n", "_error_distances.mean._mean", "_error_distances._S", "_n", "_last_error",
        "_n_errors", "_p2s_prime_max", "_warning_detected",
    )  # fmt: skip
    sign = 1


class _Hoeffding(_Python):
    @property
    def sign(self) -> int:
        return 0 if self.settings["two_sided_test"] else 1


class HddmA(_Hoeffding):
    """HDDM_A. Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds",
    IEEE Transactions on Knowledge and Data Engineering 27, 2015."""

    CLASS = "HDDMA"
    NUMBERS = ("_x_min.n", "_x_min._mean", "_x_max.n", "_x_max._mean", "_z.n", "_z._mean", "_warning_detected")


class HddmW(_Hoeffding):
    """HDDM_W. Frías-Blanco et al., as HDDM_A."""

    CLASS = "HDDMW"
    SAMPLES = ("_total", "_s1_decr", "_s1_incr", "_s2_decr", "_s2_incr")
    NUMBERS = (
        "_incr_cutpoint", "_decr_cutpoint", "_warning_detected",
        *(f"{s}.{name}" for s in SAMPLES for name in ("_is_init", "_ibc")),
    )  # fmt: skip

    def fields(self) -> tuple[list[float], bytes]:
        return super().fields()[0], b"".join(self._mean(s).__getstate__() for s in self.SAMPLES)

    def restore(self, fields: list[float], rest: bytes) -> None:
        super().restore(fields, b"")
        size = len(rest) // len(self.SAMPLES)
        for i, sample in enumerate(self.SAMPLES):
            self._mean(sample).__setstate__(rest[i * size : (i + 1) * size])

    def _mean(self, sample: str) -> Any:
        return getattr(self.river, sample)._ewma._ewmean


class Kswin(_Python):
    """KSWIN. Raab, Heusinger and Schleif, "Reactive soft prototype computing for concept drift streams",
    Neurocomputing 416, 2020. Its random choice is seeded, and the generator's state is part of the state."""

    MODULE, CLASS = "river.drift", "KSWIN"
    NUMBERS = ("n", "p_value")

    def fields(self) -> tuple[list[float], bytes]:
        _, words, _ = self.river._rng.getstate()
        return [*super().fields()[0], *self.river.window], array.array("I", words).tobytes()

    def restore(self, fields: list[float], rest: bytes) -> None:
        super().restore(fields[:2], b"")
        self.river.window = deque(fields[2:], maxlen=int(self.settings["window_size"]))
        self.river._rng.setstate((3, tuple(array.array("I", rest)), None))


def _follow(owner: Any, way: Iterable[str]) -> Any:
    for name in way:
        owner = getattr(owner, name)
    return owner


CLASSES: dict[str, type[Detector]] = {
    "adwin": Adwin,
    "page_hinkley": PageHinkley,
    "kswin": Kswin,
    "ddm": Ddm,
    "eddm": Eddm,
    "hddm_a": HddmA,
    "hddm_w": HddmW,
}


def make(detector: str, settings: Settings, fields: Floats | None = None, rest: bytes = b"") -> Detector:
    """A detector that begins, or goes on from its stored fields; ``UnreadableState`` where they are not its own."""
    found = CLASSES[detector](settings)
    if fields is not None:
        try:
            found.restore(fields.tolist(), rest)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise UnreadableState(f"the state is none of {detector}'s: {error}") from None
    return found
