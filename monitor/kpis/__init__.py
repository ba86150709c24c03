"""KPIs as pure functions of records: no clock, no database. What each means: docs/kpis.md."""
