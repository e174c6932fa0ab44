"""An address, a network or a port that notebooks cannot reach, as `firewall.deny` writes it."""

import re
from ipaddress import ip_network


def target(text: str) -> tuple[str, int | None]:
    """Return the network and the port, if one is given, of "10.0.0.5", "10.0.0.0/8:5432" or "[fd00::/8]:5432".

    Raises:
        ValueError: the text is none of these.

    """
    # An IPv6 address has several colons of its own.
    found = re.fullmatch(r"\[([^\]]+)\](?::(\d+))?|([^:]+):(\d+)|(.+)", text)
    if not found:
        raise ValueError("it is none")
    bracketed, port, plain, its_port, alone = found.groups()
    number = int(port or its_port) if port or its_port else None
    if number is not None and not 0 < number < 65536:
        raise ValueError(f"{number} is no port")
    return str(ip_network(bracketed or plain or alone)), number
