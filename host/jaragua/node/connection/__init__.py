"""A node's connection to the broker: session, address, and what is read of a flood."""
