"""What trains on this machine: the protocol of engines, and the one made of the device's C."""
