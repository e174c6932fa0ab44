"""The connections that all steps of one process share: one handshake a host and a run."""

from swarmhub.settings.schema.model import Ssh
from swarmhub.ssh.connection import Connections, make_config

_shared: dict[Ssh, Connections] = {}


def connections(config: object, ssh: Ssh) -> Connections:
    """Return the shared connections, made with the command line's configuration that comes first."""
    if ssh not in _shared:
        _shared[ssh] = Connections(make_config(config, ssh.config), ssh.sudo)
    return _shared[ssh]
