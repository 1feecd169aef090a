"""Verbs about what a run has come to: status, evaluate, report, dashboard, export."""
