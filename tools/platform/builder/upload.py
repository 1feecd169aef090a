"""From the linked image to what is uploaded (HEX, BIN, UF2), and how it gets to the board. Used by main.py in SCons."""

import struct
from pathlib import Path

#: UF2: github.com/microsoft/uf2.
UF2_PAYLOAD_BYTES = 256
UF2_BLOCK_BYTES = 512
UF2_FAMILY_PRESENT = 0x2000


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
        Path(str(target[0])).write_bytes(uf2(data, entry["flash"][0], entry["uf2_family"]))

    return write


def finished_image(env, entry):
    """What was built elsewhere, and lies in the build folder (`-t nobuild`)."""
    kind = entry.get("image", "elf")
    return env.File("$BUILD_DIR/${PROGNAME}${PROGSUFFIX}" if kind == "elf" else f"$BUILD_DIR/${{PROGNAME}}.{kind}")


def add_target(env, image, entry):
    """`pio run -t upload`, with `upload_command`, `upload_protocol`, or the first method that can be used.

    The methods are those of jaragua.upload, which `jaragua flash` and gateways call, too.
    """
    if env.GetProjectOption("upload_command", ""):
        command = "$UPLOADCMD"
    else:
        method = env.GetProjectOption("upload_protocol", "")
        command = (
            '"$JARAGUA_PYTHON" -m jaragua.upload --environment "$BOARD" --port "$UPLOAD_PORT"'
            + (f" --method {method}" if method else "")
            + ' "$SOURCE"'
        )
    action = env.VerboseAction(command, "Uploading $SOURCE")
    env.AddPlatformTarget("upload", image, action, "Upload", "Put the image on the board")
