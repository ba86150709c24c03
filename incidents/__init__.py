"""A pure library of incidents: rules that open and resolve them, a total state machine, and the times they took.

It knows the standard library alone, reads no clock and does nothing: each function takes plain values and returns some.
"""
