"""C sources made from the definition of the protocol: definitions.toml and messages.cddl."""
