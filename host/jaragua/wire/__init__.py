"""The protocol, without sockets and without a clock: numbers, messages, frames, the host's side of the link, topics."""
