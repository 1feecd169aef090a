"""G1, G2, G7: what a user says of a broker, and where a password comes from."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from forked import Forker
from jaragua.cli.main import run
from jaragua.errors import BrokerError, JaraguaError, UsageError
from jaragua.node.connection.access import Access, address_of
from jaragua.node.program import OneLineFormatter
from jaragua.trust import identity
from jaragua.trust.identity import Identity
from jaragua.trust.reach import is_loopback

SECRET = "correct-horse"


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(f"{SECRET}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1"])
def test_g1_loopback_needs_nothing(host: str) -> None:
    assert is_loopback(host)
    url = f"mqtt://[{host}]" if ":" in host else f"mqtt://{host}"
    assert address_of(Access(url=url), {}).host == host


@pytest.mark.parametrize(
    ("url", "said"), [("mqtt://192.0.2.1", "not encrypted"), ("mqtts://broker.example", "who this is")]
)
def test_g1_beyond_loopback_tls_and_an_identity_are_needed(url: str, said: str) -> None:
    with pytest.raises(BrokerError, match=said):
        address_of(Access(url=url), {})
    assert address_of(Access(url=url, insecure=True), {}).public.startswith(url)
    assert address_of(Access(url="mqtts://broker.example", user="ana"), {}).username == "ana"


def test_g1_a_broker_beyond_loopback_needs_tls(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["broker", "start", "--bind", "0.0.0.0"]) == 2
    assert "without TLS lets everyone on that network in" in capfd.readouterr().err


def test_an_identity_s_folder_names_broker_and_files(tmp_path: Path) -> None:
    identity.write(Identity(tmp_path / "pi-1", "home", "pi-1", "mqtts://broker.example:8883"), {})
    url = address_of(Access(identity=tmp_path / "pi-1"), {})
    assert url.public == "mqtts://broker.example:8883"
    assert url.files.key == tmp_path / "pi-1" / "private.key"
    other = address_of(Access(url="mqtts://other:1", identity=tmp_path / "pi-1", ca=tmp_path / "ca"), {})
    assert (other.public, other.files.authority) == ("mqtts://other:1", tmp_path / "ca")


def test_g7_a_password_comes_from_a_file_or_the_environment(password_file: Path) -> None:
    environment = {"JARAGUA_BROKER_USER": "ana", "JARAGUA_BROKER_PASSWORD": "of-the-environment"}
    of_environment = address_of(Access(url="mqtts://h"), environment)
    assert (of_environment.username, of_environment.password) == ("ana", "of-the-environment")
    of_file = address_of(Access(url="mqtts://h", password_file=password_file), environment)
    assert of_file.password == SECRET
    assert SECRET not in repr(of_file)


def test_g2_a_password_file_that_everyone_may_read_is_refused(password_file: Path) -> None:
    password_file.chmod(0o644)
    with pytest.raises(BrokerError, match="every user of this machine may read"):
        address_of(Access(url="mqtts://h", user="a", password_file=password_file), {})


@pytest.mark.parametrize(
    "command",
    [
        ["client", "--fleet", "a", "--node", "b"],
        ["gateway", "--port", "/dev/null", "--fleet", "a"],
        ["broker", "check"],
        ["doctor"],
    ],
)
def test_g7_a_password_on_the_command_line_is_refused(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--broker", f"mqtts://ana:{SECRET}@broker.example"]) == UsageError.exit_code
    said = capfd.readouterr()
    assert "a password on the command line can be read by every user" in said.err
    assert SECRET not in said.err + said.out


def test_g7_neither_the_process_list_nor_the_log_has_the_password(
    forker: Forker, tmp_path: Path, password_file: Path
) -> None:
    with socket.socket() as nobody:  # bound and not listening: every connection is refused
        nobody.bind(("127.0.0.1", 0))
        url = f"mqtt://127.0.0.1:{nobody.getsockname()[1]}"
        names = ["--fleet", "home", "--node", "pi-1", "--data-dir", str(tmp_path), "--verbose"]
        secret = ["--user", "ana", "--password-file", str(password_file)]
        client = forker.start(["client", "--broker", url, *names, *secret], tmp_path / "out")
        try:
            client.wait_for_text("waiting for the broker")
            command_line = Path(f"/proc/{client.pid}/cmdline").read_bytes()
        finally:
            client.terminate()
            client.wait()
    assert SECRET.encode() not in command_line
    assert SECRET not in client.said


def test_g2_the_outbox_is_its_owner_s_alone(tmp_path: Path) -> None:
    from jaragua.node.outbox import Outbox

    Outbox(tmp_path / "deep" / "outbox.sqlite3").close()
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "deep" / "outbox.sqlite3").stat().st_mode & 0o777 == 0o600


def test_no_broker_is_one_sentence() -> None:
    with pytest.raises(JaraguaError, match="no broker is named"):
        address_of(Access(), {})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"mqtts://ana:{SECRET}@h:1 is away", "mqtts://ana:***@h:1 is away"),
        (f"a mqtt://:{SECRET}@h and mqtt://h:1883/x", "a mqtt://:***@h and mqtt://h:1883/x"),
        ("mqtt://ana@h: no colon before @", "mqtt://ana@h: no colon before @"),
    ],
)
def test_g7_a_log_line_has_no_password_of_a_url(text: str, shown: str) -> None:
    record = logging.LogRecord("jaragua", logging.INFO, "", 1, "%s", (text,), None)
    assert OneLineFormatter("%(message)s").format(record) == shown
