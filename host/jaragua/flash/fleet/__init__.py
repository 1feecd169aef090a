"""`jaragua flash --fleet`: each board behind a gateway gets the image that it needs, over MQTT (M40 to M47)."""
