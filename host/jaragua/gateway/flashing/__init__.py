"""Images that come over MQTT for the boards of a gateway (M40 to M45)."""
