"""The token that calls carry, so that a server with access control knows the caller."""

from __future__ import annotations

import ipaddress
import os
import stat
import threading
import time
import warnings
from typing import Callable, List, Optional, Tuple, Union

Token = Union[str, Callable[[], str]]
Path = Union[str, "os.PathLike[str]"]
Metadata = Tuple[Tuple[str, str], ...]

_LONGEST = 4096
_READ_INTERVAL = 1.0  # seconds


def _check(token: str, name: str) -> str:
    """Returns the token. No message has any of it."""
    if not isinstance(token, str):
        raise TypeError(f"{name} is {type(token).__name__}; wanted str")
    if not token:
        raise ValueError(f"{name} is empty; wanted a token")
    if len(token) > _LONGEST:
        raise ValueError(f"{name} is too long; a token has at most {_LONGEST} bytes")
    if not all("!" <= character <= "~" for character in token):
        raise ValueError(f"{name} is not a token; wanted printable ASCII without spaces, in one line")
    return token


def _read(path: Path) -> str:
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path} is not a regular file; wanted one")
        line = file.read(_LONGEST + 3).decode("latin-1")
    if line.endswith("\n"):
        line = line[:-2] if line.endswith("\r\n") else line[:-1]
    return _check(line, str(path))


def _host(address: str) -> str:
    if address.startswith("["):
        return address[1:].partition("]")[0]
    host, colon, _ = address.rpartition(":")
    return host if colon else address


def _is_this_machine(host: str) -> bool:
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified  # clients take the latter for this machine


def _stays_here(target: str) -> bool:
    """Says whether all addresses of a gRPC target are of this machine."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in ("unix", "unix-abstract"):
        return True
    if colon and scheme in ("ipv4", "ipv6"):
        addresses: List[str] = rest.split(",")
    elif colon and scheme == "dns":
        addresses = [rest[2:].partition("/")[2] if rest.startswith("//") else rest]
    else:
        addresses = [target]
    return all(_is_this_machine(_host(address)) for address in addresses)


class TokenSource:
    """Gives each call its metadata. Safe to use from several threads."""

    def __init__(self, token: Optional[Token], token_file: Optional[Path], target: str, encrypted: bool, allow_plaintext: bool) -> None:
        if token is not None and token_file is not None:
            raise ValueError("token and token_file are both given; wanted one of them")
        self._file = token_file
        self._call: Optional[Callable[[], str]] = None
        self._token: Optional[str] = None
        self._lock = threading.Lock()
        self._read_again = time.monotonic() + _READ_INTERVAL
        if token is None and token_file is None:
            return
        if not encrypted and not allow_plaintext and not _stays_here(target):
            raise ValueError(
                f"the token would be sent to {target} without encryption: give tls_ca, or, if the network is trusted, "
                "allow_plaintext_token=True"
            )
        if token_file is not None:
            self._token = _read(token_file)
            if os.stat(token_file).st_mode & (stat.S_IRGRP | stat.S_IROTH):
                warnings.warn(f"{token_file}: other users may read this token; chmod 600 keeps it to its owner", stacklevel=4)
        elif callable(token):
            self._call = token
        elif token is not None:
            self._token = _check(token, "token")

    def __repr__(self) -> str:
        return "TokenSource()"

    def metadata(self) -> Optional[Metadata]:
        """What a call that starts now carries. Raises what the caller's function does, and ValueError if that returns no token."""
        token = _check(self._call(), "what token returns") if self._call is not None else self._current()
        return None if token is None else (("authorization", f"Bearer {token}"),)

    def _current(self) -> Optional[str]:
        if self._file is None:
            return self._token
        with self._lock:
            if time.monotonic() < self._read_again:
                return self._token
            self._read_again = time.monotonic() + _READ_INTERVAL  # other calls use the former token meanwhile
        try:
            token = _read(self._file)
        except (OSError, ValueError):
            return self._token  # until the file is whole again
        self._token = token
        return token
