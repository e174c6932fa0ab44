"""Start single-user servers as services of the swarm."""

import dockerspawner


class SwarmSpawner(dockerspawner.SwarmSpawner):  # type: ignore[misc]  # dockerspawner has no types
    """dockerspawner's SwarmSpawner, with servers reached by address instead of by name.

    A server that is stopped and started again keeps its name and gets another
    address. JupyterHub 6 resolves names through aiodns, which keeps an answer for
    as long as Docker's DNS lets it, 600 s: the hub would go on asking the old
    server, and would give the new one up after `http_timeout`.
    """

    async def get_ip_and_port(self) -> tuple[str, int]:
        """Return the server's address on the overlay network: the service's own, or its only task's."""
        service = await self.get_object()
        addresses = service["Endpoint"].get("VirtualIPs") or (await self.get_task())["NetworksAttachments"]
        return _first_address(addresses), self.port


def _first_address(attached: list[dict[str, object]]) -> str:
    first = attached[0]
    found = first.get("Addr") or first["Addresses"]
    return str(found[0] if isinstance(found, list) else found).partition("/")[0]
