"""What an archive holds, as one number: the same however it is packed."""

import hashlib
from collections.abc import Iterable


def content_digest(members: Iterable[tuple[str, bytes]]) -> str:
    """SHA-256 over the lines "<SHA-256 of the content>  <name>", sorted by name: hexadecimal."""
    lines = sorted((name, hashlib.sha256(content).hexdigest()) for name, content in members)
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in lines).encode()).hexdigest()
