"""Ask the lab's nodes with pyinfra for what a deploy asks for; nothing is compared and nothing changed."""

import os
import shlex

from pyinfra import host
from pyinfra.facts.docker import DockerImage, DockerNetwork, DockerSystemInfo, DockerVolume
from pyinfra.facts.server import Command


def words(name: str) -> list[str]:
    """Return what the measurement names."""
    return shlex.split(os.environ[name])


host.get_fact(DockerSystemInfo)
for image in words("IMAGES"):
    host.get_fact(DockerImage, object_id=image)
if host.name == os.environ["MANAGER"]:
    for network in words("NETWORKS"):
        host.get_fact(DockerNetwork, object_id=network)
    for volume in words("VOLUMES"):
        host.get_fact(DockerVolume, object_id=volume)
    # pyinfra has no facts for these: one command each.
    host.get_fact(Command, command=f"docker service inspect {os.environ['SERVICES']}")
    host.get_fact(Command, command=f"docker node inspect {os.environ['HOSTS']}")
    host.get_fact(Command, command=f"cat {os.environ['FILES']}")
