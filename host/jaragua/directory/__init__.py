"""The service that keeps the knowledge graph current from a fleet's retained descriptions (`jaragua fleet serve`)."""
