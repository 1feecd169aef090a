"""How a Pi gets its identity with one command and a token that works once (G12)."""
