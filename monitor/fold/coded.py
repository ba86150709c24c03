"""A column of few distinct words, such as versions and roles: a number for each row, and each word once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """``codes``: for each row the number of its word among ``words``, shape (n,)."""

    codes: Ints
    words: tuple[str, ...]

    @classmethod
    def of(cls, values: pa.Array | Sequence[str]) -> Coded:
        """
        >>> Coded.of(["v1", "v2", "v1"]).codes.tolist()
        [0, 1, 0]
        """
        array = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
        encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        return cls(np.asarray(encoded.indices).astype(np.int64), tuple(encoded.dictionary.to_pylist()))

    @classmethod
    def concat(cls, parts: Sequence[Coded]) -> Coded:
        words = tuple(dict.fromkeys(word for part in parts for word in part.words))
        return cls(np.concatenate([part.among(words) for part in parts]), words)

    def __len__(self) -> int:
        return self.codes.size

    def take(self, rows: Ints) -> Coded:
        return Coded(self.codes[rows], self.words)

    def among(self, words: Sequence[str]) -> Ints:
        """The codes of the rows in another list of words, -1 where a word is not in it; shape (n,)."""
        at = {word: i for i, word in enumerate(words)}
        return np.array([*(at.get(word, -1) for word in self.words), -1], np.int64)[self.codes]

    def are(self, word: str) -> npt.NDArray[np.bool_]:
        """Which rows have a word; shape (n,)."""
        return np.asarray(self.codes == (self.words.index(word) if word in self.words else -1))

    def listed(self) -> list[str]:
        return [self.words[code] for code in self.codes.tolist()]

    def as_arrow(self) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(self.codes.astype(np.int32), pa.array(self.words, pa.string()))
