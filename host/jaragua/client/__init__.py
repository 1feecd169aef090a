"""A Raspberry-Pi-class machine as a node with one device: itself."""
