"""A server on a port, from its start to its end."""

from __future__ import annotations

import errno
import ipaddress
import signal
import socket

import uvicorn
from fastapi import FastAPI

from prokd.errors import UserError

SECONDS = 30
"""Most seconds that running requests get at the end."""


def bound_socket(host: str, port: int) -> socket.socket:
    """Take a port, which nobody can reach before the server listens.

    Args:
        host: Address or name of this machine.
        port: 0 = a free one.

    Raises:
        UserError: The port is taken, or the address is not this machine's.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise UserError(f"--host must be an address of this machine, but got {host!r}.") from None
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind(address)
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


def run(app: FastAPI, taken: socket.socket) -> None:
    """Answer requests until SIGTERM or Ctrl-C; running ones get their answer before.

    A second Ctrl-C ends at once. After SIGTERM this returns; Ctrl-C is then answered as in all
    commands.
    """
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, timeout_graceful_shutdown=SECONDS
    )
    signal.signal(signal.SIGTERM, lambda number, frame: None)  # uvicorn raises it anew at its end
    uvicorn.Server(config).run(sockets=[taken])
