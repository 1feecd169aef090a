"""A filter of PlatformIO's monitor: `monitor_filters = jaragua` shows the lines of `jaragua monitor`.

PlatformIO loads it into its own Python, which need not have Jaragua. So the work is done by a process of the project's
Python (`python -m jaragua.monitor.pipe`): bytes go in, lines of JSON come out.
"""

import json
import os
import subprocess
import sys
import threading

from platformio.public import DeviceMonitorFilterBase


class Jaragua(DeviceMonitorFilterBase):
    """Decodes the frames of a board, says HELLO, and asks once who the board is."""

    NAME = "jaragua"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._process = None

    def set_running_terminal(self, terminal):
        """Called when a port has been opened, and again when it was opened anew."""
        super().set_running_terminal(terminal)
        self.stop()
        self._process = subprocess.Popen(
            [_python(self.project_dir or os.getcwd()), "-m", "jaragua.monitor.pipe"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        threading.Thread(target=self._tell, args=(self._process, terminal), daemon=True).start()

    def rx(self, text):
        """The bytes of the board, as text in Latin-1 (`monitor_encoding = latin-1`). Nothing of them is shown."""
        if self._process is not None:
            try:
                self._process.stdin.write(text.encode("latin-1", "replace"))
                self._process.stdin.flush()
            except (BrokenPipeError, ValueError):  # it has ended, and has said why
                return text
        return ""

    def stop(self):
        """Ends the process."""
        if self._process is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None

    @staticmethod
    def _tell(process, terminal):
        with process.stdout:
            for line in process.stdout:
                told = json.loads(line)
                if "send" in told:
                    terminal.serial.write(bytes.fromhex(told["send"]))
                else:
                    terminal.console.write(told["text"] + "\n")


def _python(project):
    """The project's own interpreter knows Jaragua, whoever started PlatformIO."""
    local = os.path.join(project, ".venv", "bin", "python")
    return local if os.path.exists(local) else sys.executable
