"""The coordinator's connection to a fleet: who is there, what is read, which coordinator serves it."""
