"""Emulated boards: build the real image and run it on QEMU or as a process of this computer."""

from jaragua.emulate.fleet import EmulatedBoard, EmulatedFleet, NativeBoard, QemuBoard, emulated_board
from jaragua.emulate.image import build_image

__all__ = ["EmulatedBoard", "EmulatedFleet", "NativeBoard", "QemuBoard", "build_image", "emulated_board"]
