"""Data quality: what is missing, gone, out of range, alike or repeated."""

from __future__ import annotations

from detectors.catalogue.entry import HIGHER, PREDICTIONS, REFERENCE, WILSON, Entry

ENTRIES: tuple[Entry, ...] = (
    Entry("missing_rate", "quality", "share", HIGHER, PREDICTIONS, WILSON, "ISO/IEC 25012, completeness",
          "Share of rows in which the column has no value."),
    Entry("unseen_category_rate", "quality", "share", HIGHER, REFERENCE, WILSON, "ISO/IEC 25012, consistency",
          "Share of values that are a category which the reference does not have."),
    Entry("out_of_range_rate", "quality", "share", HIGHER, REFERENCE, WILSON, "ISO/IEC 25012, accuracy",
          "Share of values below the reference's smallest or above its largest."),
    Entry("row_count", "quality", "rows", None, PREDICTIONS, None, "a count",
          "Predictions in the window."),
    Entry("mode_share", "quality", "share", None, PREDICTIONS, WILSON, "ISO/IEC 25012, credibility",
          "Share of the column's most frequent cell; 1 where the column is constant.", kept=False),
    Entry("distinct_count", "quality", "categories", None, PREDICTIONS, None, "a count",
          "Categories of the reference that occur in the window.", kept=False),
    Entry("vanished_category_rate", "quality", "share", HIGHER, REFERENCE, "from those whose absence is no chance",
          "ISO/IEC 25012, completeness", "The reference's share of categories that do not occur in the window.",
          kept=False),
    Entry("duplicate_rate", "quality", "share", HIGHER, PREDICTIONS, "of linear counting",
          "Whang, Vander-Zanden and Taylor (1990), ACM Trans. Database Syst. 15(2)",
          "Share of rows whose features are those of another row of the window before it.", kept=False),
    Entry("freshness", "quality", "seconds", HIGHER, PREDICTIONS, None, "ISO/IEC 25012, currentness",
          "Time from the last bucket of event time with rows to the end of the window."),
    Entry("type_error_rate", "quality", "share", HIGHER, PREDICTIONS, WILSON, "ISO/IEC 25012, consistency",
          "Share of rows whose value of the feature had a wrong type and was taken as missing.", kept=False),
    Entry("undeclared_field_rate", "quality", "share", HIGHER, PREDICTIONS, WILSON, "ISO/IEC 25012, compliance",
          "Share of rows with a field that the declaration does not know: the sender's schema has changed."),
)  # fmt: skip
