"""People: their accounts, how they sign in, what their roles let them do, and links that act for one of them."""

from monitor.people.people import People

__all__ = ["People"]
