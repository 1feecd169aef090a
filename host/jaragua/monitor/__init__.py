"""What `jaragua monitor` and `jaragua replay` show: a board's link decoded into lines (docs/reference/monitor.md)."""
