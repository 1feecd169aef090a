"""PlatformIO development platform for boards that need no vendor packages."""

from platformio.platform.base import PlatformBase


class JaraguaPlatform(PlatformBase):
    """Everything it needs is on the PATH, so there are no packages to install."""
