"""Verbs about boards on ports."""
