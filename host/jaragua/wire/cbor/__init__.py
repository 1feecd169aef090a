"""CBOR and CDDL as far as the protocol uses them: reading, writing, checking against `messages.cddl`."""
