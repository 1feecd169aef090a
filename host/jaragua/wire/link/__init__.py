"""The host's side of the serial link: bytes, frames, reliable delivery. No sockets, no clock."""
