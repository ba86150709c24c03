"""The management-review pack: its figures as plain values, as JSON and as a page. Pure: nothing is read here."""
