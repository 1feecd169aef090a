"""Who takes part in a fleet: certificates, access lists, members, signatures (docs/design/security.md, G)."""
