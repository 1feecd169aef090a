"""Verbs about the knowledge graph: `match`, `devices`, `query`, `fleet`."""
