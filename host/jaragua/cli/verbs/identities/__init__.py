"""Verbs about who takes part in a fleet."""
