"""Live progress of long verbs on stderr: one module a verb, loaded with the verb."""
