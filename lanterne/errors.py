"""Errors whose message is for the person at the other end: one sentence with the value, the rule and the remedy."""


class LanterneError(Exception):
    """Something the user can put right. Programs end with exit code 2 and show the message alone, without a traceback."""
