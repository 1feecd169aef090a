"""Verbs about the task that devices learn."""
