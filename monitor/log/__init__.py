"""The log: what services sent, what people did, and when the clock was read. All else is a function of it."""
