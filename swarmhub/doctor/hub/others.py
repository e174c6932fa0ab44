"""The other hubs on the swarm: their servers' names against this one's."""

from swarmhub.doctor.finding import Finding, failure, warning

CHECK = "names"


def judge(hub: str, other: str, manager: str, is_deployed: bool) -> list[Finding]:
    """Tell that servers of this hub and of another could have the same names; nothing, if there is no such other one."""
    if not other:
        return []
    text = f"servers of the hubs {hub} and {other} could have the same names"
    if not is_deployed:
        return [
            failure(CHECK, manager, f"{text}, so a deploy refuses", "Give this hub another name in hosts.toml: hub.service")
        ]
    told = f"{text}: whoever is first has the name, and the other one's user gets no server"
    return [warning(CHECK, manager, told, "Give one of the hubs another name when it is set up the next time: hub.service")]
