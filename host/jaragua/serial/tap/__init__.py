"""What a gateway tells of a port to monitors on the same machine (docs/reference/monitor.md, V6 to V10)."""
