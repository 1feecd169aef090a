"""Processes beside the coordinator that read and check updates (docs/design/aggregators.md)."""
