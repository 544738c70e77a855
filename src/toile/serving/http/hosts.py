"""Under which names the server answers. A page from elsewhere whose own name points here is not answered (DNS rebinding)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from toile.errors import Misuse
from toile.serving.http.problem import Problem

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


class Hosts:
    """The names that are allowed in `Host`, whatever the port: those of this machine for itself, the address at which the
    connection came in (an address cannot be made to point elsewhere), and those that the operator named.

    Args:
        names: more of them, as they stand in an address.
        at: where the server listens: an address, or a name.

    Raises:
        Misuse: a name is none.
    """

    def __init__(self, names: Iterable[str] = (), at: str = LOOPBACK[0]) -> None:
        for name in names:
            if not _name(name) or set(name) & set("/*@ "):
                raise Misuse(f"a host is a name or an address as it stands in `http://NAME/`, got {name!r}")
        self.names = frozenset(_name(name) for name in (*LOOPBACK, _bracketed(at), *names))

    def check(self, headers: Iterable[tuple[bytes, bytes]], local: str | None) -> None:
        """That a request is meant for this server.

        Args:
            headers: of the request.
            local: address of this end of the connection.

        Raises:
            Problem: 400 without a `Host`, or with several; 421 with another than those allowed.
        """
        found = [value for name, value in headers if name == b"host"]
        if len(found) != 1 or not (host := _name(found[0].decode("latin-1"))):
            raise Problem(400, f"a request has one Host, and this one has {len(found) if len(found) != 1 else 'a wrong one'}")
        if host not in self.names and host != _name(_bracketed(local)):
            raise Problem(
                421, f"this server is not called {host[:60]!r}; it answers to {', '.join(sorted(self.names))}. "
                     "`toile serve --host-name NAME` adds a name"
            )  # fmt: skip


def _name(host: str) -> str:
    """`Example:8000` -> `example`; `[::1]:8000` -> `[::1]`. Empty where it is nothing of the kind."""
    host = host.strip().lower()
    name, closed, port = host.partition("]") if host.startswith("[") else ("", "", host)
    before, _, port = port.partition(":")
    if port and not port.isdigit():
        return ""
    return _bracketed((name + closed + before).rstrip("."))


def _bracketed(address: str | None) -> str:
    """An address in the one form in which it is compared, IPv6 in brackets; a name as it is."""
    address = (address or "").partition("%")[0]
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    return f"[{found}]" if found.version == 6 else str(found)
