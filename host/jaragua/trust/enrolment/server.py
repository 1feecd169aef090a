"""The authority's side: two requests over TLS, `GET /authority` and `POST /join`."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from jaragua.errors import BrokerError, JaraguaError, UsageError
from jaragua.printable import printable
from jaragua.reasons import reason_of
from jaragua.token_bucket import TokenBucket
from jaragua.trust.authority import AuthorityFolder, now_utc

LOGGER = logging.getLogger(__name__)
#: A request with a signing request in it has about 1 KB.
_MOST_BODY_BYTES: Final = 16 * 1024
_SECONDS: Final = 10.0
#: Of all peers together: nobody tries many tokens, and a fleet enrols in minutes.
_TRIES_A_SECOND, _TRIES_AT_ONCE = 2.0, 20.0
_MOST_AT_ONCE: Final = 32


class EnrolmentServer(ThreadingHTTPServer):
    """Serves until `shutdown`. Raises: BrokerError if the port cannot be had."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, authority: AuthorityFolder, address: str, port: int) -> None:
        self.authority = authority
        self.tries = TokenBucket(_TRIES_A_SECOND, _TRIES_AT_ONCE)
        self.lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._tls.load_cert_chain(authority.broker_certificate, authority.broker_key)
        self.address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            hint = "give another one with --port"
            raise BrokerError(f"port {port} of {address} cannot be opened: {reason_of(error)}", hint) from error

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, of which there are a few."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The handshake is made here: a peer that does not finish it holds up no other."""
        try:
            request.settimeout(_SECONDS)
            secured = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        except (OSError, ValueError):
            self.shutdown_request(request)
            return
        finally:
            self._places.release()
        super().process_request_thread(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that goes away, or that does not like our certificate, is no fault."""
        LOGGER.debug("a connection of %s failed", client_address[0])


class _Handler(BaseHTTPRequestHandler):
    server: EnrolmentServer
    timeout = _SECONDS

    def do_GET(self) -> None:
        """The authority's certificate: public, and believed for its fingerprint only."""
        if self.path == "/authority":
            self._answer(HTTPStatus.OK, self.server.authority.certificate.read_bytes())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing of that name")

    def do_POST(self) -> None:
        """Enrol a node."""
        if self.path != "/join":
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing of that name")
            return
        with self.server.lock:
            may_try = self.server.tries.take(time.monotonic())
        if not may_try:
            self._refuse(HTTPStatus.TOO_MANY_REQUESTS, "too many attempts: try again in a minute")
            return
        try:
            answer = _enrolled(self.server.authority, self._body())
        except JaraguaError as error:
            LOGGER.warning("refused %s: %s", self.client_address[0], error.message)
            self._refuse(HTTPStatus.FORBIDDEN, error.message)
            return
        LOGGER.info("enrolled %s from %s", answer["name"], self.client_address[0])
        self._answer(HTTPStatus.OK, json.dumps(answer).encode())

    def _body(self) -> bytes:
        """Raises: UsageError."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BODY_BYTES:
            raise UsageError("the request has no fitting length")
        return self.rfile.read(int(length))

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self._answer(status, json.dumps({"error": why}).encode())

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Of the library: requests that are answered, at the level of debugging."""
        LOGGER.debug("%s", printable(format % args))


def _enrolled(authority: AuthorityFolder, body: bytes) -> dict[str, str]:
    """The answer to a node. Raises: UsageError, StoreError."""
    try:
        asked = json.loads(body)
        name, request, secret = str(asked["name"]), str(asked["request"]).encode(), bytes.fromhex(asked["secret"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError("the request cannot be read") from error
    certificate = authority.enrol(name, request, secret, now_utc())
    about = authority.identity_of(name)
    files = {file: data.decode("ascii") for file, data in authority.files_for(certificate).items()}
    return {"name": name, "fleet": about.fleet, "broker": about.broker, **files}
