"""Verbs about this machine: services, completion."""
