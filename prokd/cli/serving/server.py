"""A server on a port, from its start to its end."""

from __future__ import annotations

import errno
import ipaddress
import signal
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from prokd.common.interruption import IS_OVER, end_now
from prokd.errors import UserError

SECONDS = 30
"""Most seconds that running requests get at the end."""


def bound_socket(host: str, port: int) -> socket.socket:
    """Take a port; who connects to it waits until the server runs.

    Args:
        host: Address or name of this machine.
        port: 0 = a free one.

    Raises:
        UserError: The port is taken, or the address is not this machine's.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except (socket.gaierror, UnicodeError):
        raise UserError(f"--host must be an address of this machine, but got {host!r}.") from None
    family, kind, protocol, _, address = found[0]
    # asyncio sends answers without delay (TCP_NODELAY) where the socket names its protocol.
    taken = socket.socket(family, kind, protocol)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(address)
        taken.listen()  # else another can bind it too; who connects waits for the model
    except OSError as error:
        taken.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(
                f"the port must be free, but {port} of {host} is taken (--port names another)."
            ) from None
        reason = error.strerror or str(error)
        raise UserError(f"{host} cannot listen on port {port}: {reason}.") from None
    return taken


def address_of(taken: socket.socket) -> str:
    """Return the address of the page, as a browser takes it."""
    host, port = taken.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def is_local(taken: socket.socket) -> bool:
    """Return whether this machine alone reaches a port."""
    return ipaddress.ip_address(taken.getsockname()[0].partition("%")[0]).is_loopback


class Server(uvicorn.Server):
    """A server that a second Ctrl-C ends at once."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End when running requests have their answer, or at once if that was wanted before."""
        if self.should_exit and sig == signal.SIGINT:
            end_now(sentence=IS_OVER)
        super().handle_exit(sig, frame)


def server_of(app: FastAPI) -> Server:
    """Return a server of an app; it writes no line for each request."""
    return Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=SECONDS
        )
    )


def run(app: FastAPI, taken: socket.socket) -> None:
    """Answer requests until SIGTERM or Ctrl-C; running ones get their answer before.

    After SIGTERM this returns; Ctrl-C is then answered as in all commands.
    """
    server = server_of(app)

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True  # again, where uvicorn raises the signal anew at its end

    signal.signal(signal.SIGTERM, end)
    server.run(sockets=[taken])
