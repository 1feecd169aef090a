"""PostgreSQL as the store of runs (R23): all runs of a database, each found by its name."""
