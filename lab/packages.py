"""Install the Debian packages that the lab needs and this machine lacks.

    python -m lab.packages      those of a Docker Engine, where there is none and root can

Only the standard library is used: `make demo` runs it while the Python packages are installed.
"""

import contextlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

Say = Callable[[str], None]
# Somebody else's may be at it.
APT_GET = ("apt-get", "-o", "DPkg::Lock::Timeout=300")
ENGINE = {"dockerd": "docker.io", "iptables": "iptables"}
SOCKET = Path("/var/run/docker.sock")


class LabError(Exception):
    """A lab that cannot come up: one line with the cause and the remedy."""


def install_missing(tools: dict[str, str], say: Say) -> None:
    """Install the Debian packages whose tool is not on the path; `tools` maps a tool to its package.

    Raises:
        LabError: this is not Debian or Ubuntu with root, or apt-get failed.

    """
    packages = [package for tool, package in tools.items() if not _which(tool)]
    if not packages:
        return
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if os.geteuid() != 0 or not family & {"debian", "ubuntu"}:
        raise LabError(f"missing here: {', '.join(packages)}. Install them, then run this again")
    say(f"installing {', '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        done = subprocess.run([*APT_GET, *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LabError(f"apt-get {command[0]} failed: {done.stderr.strip().splitlines()[-1:]}")


def _which(tool: str) -> str | None:
    return shutil.which(tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


if __name__ == "__main__":
    if os.geteuid() == 0 and not SOCKET.exists():
        with contextlib.suppress(LabError):  # `fab lab.up` needs them next, and says what is missing
            install_missing(ENGINE, lambda line: print(f"lab        {line}", flush=True))
