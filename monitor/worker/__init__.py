"""The worker: takes a model's log in order, folds it, judges its windows, and commits all that with the cursor."""
