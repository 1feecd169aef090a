"""From a command to an update: ranges, samples, passes over them, results."""
