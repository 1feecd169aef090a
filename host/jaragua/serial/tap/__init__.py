"""What a gateway tells of a port to monitors on the same machine (docs/reference/monitor.md, T6 to T10)."""
