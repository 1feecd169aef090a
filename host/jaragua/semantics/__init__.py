"""What devices and models say of themselves, and which device can train which model (docs/reference/semantics.md).

Rooms: `vocabulary` and `triples` (terms, RDF), `boards/` (types of boards), `things/` (Thing Descriptions), `models/`
(descriptions of models), `graph/` (the store), `matching/` (who can train what). Only `graph/` needs the extra
`jaragua[semantics]`.
"""
