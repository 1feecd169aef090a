"""From the linked image to what is uploaded (HEX, BIN, UF2), and how it gets to the board. Used by main.py in SCons."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

#: UF2 (github.com/microsoft/uf2): families of the RP2040 and, for secure code of its Arm cores, of the RP2350.
UF2_FAMILIES = {"cortex_m0plus": 0xE48BFF56, "cortex_m33": 0xE48BFF59}
UF2_PAYLOAD_BYTES = 256
UF2_BLOCK_BYTES = 512
UF2_FAMILY_PRESENT = 0x2000
#: Where systems mount drives: in a folder of the drive's name, or of the user's name and the drive's.
BASES = ("/media", "/run/media", "/mnt", "/Volumes")


def uf2(data: bytes, address: int, family: int) -> bytes:
    """The blocks of a UF2 file that writes `data` at `address`."""
    count = -(-len(data) // UF2_PAYLOAD_BYTES)
    blocks = []
    for number in range(count):
        payload = data[number * UF2_PAYLOAD_BYTES :][:UF2_PAYLOAD_BYTES].ljust(UF2_PAYLOAD_BYTES, b"\0")
        header = struct.pack(
            "<8I",
            0x0A324655,
            0x9E5D5157,
            UF2_FAMILY_PRESENT,
            address + number * UF2_PAYLOAD_BYTES,
            UF2_PAYLOAD_BYTES,
            number,
            count,
            family,
        )
        blocks.append((header + payload).ljust(UF2_BLOCK_BYTES - 4, b"\0") + struct.pack("<I", 0x0AB16F30))
    return b"".join(blocks)


def add_image(env, program, name, entry):
    """The node of what is uploaded; it is built with the program."""
    kind = entry.get("image", "elf")
    if kind == "elf":
        return program
    if kind == "uf2":
        binary = env.Command("$BUILD_DIR/${PROGNAME}.bin", program, _objcopy("binary"))
        env.Depends(program, [])
        image = env.Command(
            "$BUILD_DIR/${PROGNAME}.uf2", binary, env.VerboseAction(_write_uf2(entry), "Building $TARGET")
        )
    else:
        image = env.Command(
            f"$BUILD_DIR/${{PROGNAME}}.{kind}", program, _objcopy("ihex" if kind == "hex" else "binary")
        )
    from SCons.Script import Default

    Default(image)
    return image


def _objcopy(kind):
    return f'"$OBJCOPY" -O {kind} "$SOURCE" "$TARGET"'


def _write_uf2(entry):
    def write(target, source, env):
        data = Path(str(source[0])).read_bytes()
        Path(str(target[0])).write_bytes(uf2(data, entry["flash"][0], UF2_FAMILIES[entry["core"]]))

    return write


def add_target(env, image, entry):
    """`pio run -t upload`, with `upload_command`, the board's first method, or the one of `upload_protocol`."""
    if env.GetProjectOption("upload_command", ""):
        action = env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE")
        env.AddPlatformTarget("upload", image, action, "Upload", "Hand the image to the upload command")
        return
    methods = entry.get("upload", [])
    if not methods:
        return
    method = env.GetProjectOption("upload_protocol", methods[0])
    if method not in methods:
        sys.stderr.write(f"Error: upload_protocol = {method} is not one of the board's: {', '.join(methods)}\n")
        env.Exit(1)
    action = env.VerboseAction(METHODS[method](entry), "Uploading $SOURCE")
    env.AddPlatformTarget("upload", image, action, "Upload", "Write the image into the board's flash")


def _mass_storage(entry):
    def copy(target, source, env):
        drive = find_volume(entry["volume"])
        if drive is None:
            sys.stderr.write(
                f"Error: no drive {entry['volume']} is mounted. Connect the board by USB"
                f"{' while you hold BOOTSEL' if entry['volume'].startswith('RP') else ''} and mount its drive.\n"
            )
            return 1
        shutil.copyfile(str(source[0]), drive / Path(str(source[0])).name)
        os.sync()
        return 0

    return copy


def find_volume(label):
    """The folder where the drive of that name is mounted, None if it is not."""
    for base in BASES:
        for pattern in (label, f"*/{label}"):
            for found in Path(base).glob(pattern):
                if os.path.ismount(found):
                    return found
    return None


def _openocd(entry):
    def program(target, source, env):
        command = ["openocd", *(word for path in entry["openocd"] for word in ("-f", path))]
        where = f" 0x{entry['flash'][0]:x}" if str(source[0]).endswith(".bin") else ""
        return _run([*command, "-c", f"program {{{source[0]}}}{where} verify reset exit"])

    return program


def _dfu(entry):
    def download(target, source, env):
        return _run(["dfu-util", "-a", "0", "-s", f"0x{entry['flash'][0]:08x}:leave", "-D", str(source[0])])

    return download


def _run(command):
    if shutil.which(command[0]) is None:
        sys.stderr.write(f"Error: {command[0]} is not installed. Run: sudo apt-get install {command[0]}\n")
        return 1
    return subprocess.run(command, check=False).returncode


METHODS = {"mass_storage": _mass_storage, "openocd": _openocd, "dfu": _dfu}
