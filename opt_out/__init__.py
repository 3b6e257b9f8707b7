"""Opt-out requests, and the stage that honours them."""
