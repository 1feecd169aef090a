"""Boards on a port: transports by URL, a driver that runs the link over one, and `Board`, the API of requests."""
