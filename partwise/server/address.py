"""Validate that the server can listen on an address, before it prints that it does."""

import errno
import os
import socket

from partwise.settings import SettingsError


def check_address(host: str, port: int) -> None:
    """Validate that a server can listen on this address. Raises `SettingsError`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError):
        raise SettingsError(f"The host name {host} cannot be resolved. Choose another one with --host.") from None
    for family, kind, protocol, _, address in found:
        try:
            _bind(socket.socket(family, kind, protocol), address)
        except OSError as error:
            raise SettingsError(_why_not(error, host, port)) from None


def _bind(probe: socket.socket, address: tuple[object, ...]) -> None:
    """Bind the socket with the server's options, then close it."""
    with probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if probe.family is socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        probe.bind(address)


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is already in use. Stop the other process, or choose another port with --port."
    if error.errno == errno.EACCES:
        return (
            f"You do not have permission to listen on port {port} of {host}. "
            "Choose another port with --port, such as 8000."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine. Choose another one with --host."
    return (
        f"Cannot listen on {host} ({error.strerror}). Choose another address with --host, or another port with --port."
    )
