"""The knowledge graph: store, validation, queries (S4). Needs the extra `jaragua[semantics]`."""
