"""Shared folders that are mounted below the home: Docker has to make their place there, and a file server may not let it."""

from collections.abc import Mapping, Sequence
from functools import partial

from swarmhub.doctor.finding import Finding, failure, from_error
from swarmhub.doctor.hosts.access import HostAnswers
from swarmhub.engine import as_root
from swarmhub.host import Host
from swarmhub.parallel import at_once
from swarmhub.settings import Settings

CHECK = "homes"
PLAIN_USER = 3
# The first argument is the folder above the homes, the others are places below each of them. What root may write is what the
# file server says, and not the modes: `test -w` asks it. On one that hangs, only KILL ends what waits for it.
SCRIPT = r"""
timeout -s KILL 5 sh -c '
  above=$1 ; shift
  find "$above" -mindepth 1 -maxdepth 1 -type d ! -name ".*" | head -n 20 | while read -r home; do
    for place in "$@"; do
      [ -d "$home/$place" ] && continue
      there=$home/$place
      while [ ! -d "$there" ] && [ "$there" != "$home" ]; do there=${there%/*}; done
      [ -w "$there" ] || echo "$place"
    done
  done' sh "$@" | sort -u
[ "$(id -u)" = 0 ] || exit 3
"""


def examine(settings: Settings, all_hosts: Mapping[str, Host], seen: Mapping[str, HostAnswers]) -> list[Finding]:
    """Ask the hosts that answer, where homes are on a path and something is mounted below them."""
    below = places(settings)
    if not below or not settings.home.path:
        return []
    asked = [host for host, one in seen.items() if one.probe]
    answers = at_once([partial(observe, all_hosts[host], settings.home.path, below) for host in asked])
    findings = []
    for host, answer in zip(asked, answers, strict=True):
        findings += [from_error(CHECK, host, answer)] if isinstance(answer, BaseException) else judge(settings, host, answer)
    return findings


def places(settings: Settings) -> tuple[str, ...]:
    """Return where folders are mounted below the home, from there."""
    home = f"{settings.home.mount.rstrip('/')}/"
    if not settings.home.keep or settings.home.type != "path":
        return ()
    return tuple(one.mount.removeprefix(home).strip("/") for one in settings.folders if one.mount.startswith(home))


def observe(host: Host, above: str, below: Sequence[str]) -> tuple[str, ...]:
    """Ask a host which of the places root may not make in some home."""
    command = ("sh", "-c", SCRIPT, "sh", above, *below)
    done = host.run(*command)
    if done.code == PLAIN_USER:
        done = as_root.in_container(host, *command)
    return tuple(one for one in below if one in done.out.splitlines())


def judge(settings: Settings, host: str, denied: Sequence[str]) -> list[Finding]:
    """Return a line for each place that cannot be made."""
    remedy = "Mount that folder outside the home, such as at /srv/{0}; or make it in each home, as its owner"
    cause = "root may not make {0} in homes in {1} (root_squash?), where a shared folder is to be: no server of theirs starts"
    return [
        failure(CHECK, host, cause.format(one, settings.home.path), remedy.format(one.rpartition("/")[2])) for one in denied
    ]
