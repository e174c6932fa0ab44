"""The hub's configuration, loaded whole in the image that is to run, before anything is done to the hub."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import SecretStr

from swarmhub.engine import containers
from swarmhub.errors import StepError
from swarmhub.host import Host, Json
from swarmhub.plan.plans import Change, Cost, Plan, Progress

ARGUMENTS = ("-m", "hub.check")
MARK = '{"problems":'
SECRETS = "run/secrets"


def before(plan: Plan, check: Change, found: Json | None) -> Plan:
    """Return the service's plan with the check before all else, if another hub is to start."""
    starts = found is None or any(change.cost is Cost.HUB_RESTART for change in plan.changes)
    return replace(plan, changes=(check, *plan.changes)) if starts else plan


def change(spec: Json, secrets: Mapping[str, SecretStr], manager: str) -> Change:
    """Return what checks the configuration of a service's spec; `secrets` are those that are mounted, by name."""
    container = spec["TaskTemplate"]["ContainerSpec"]
    image = container["Image"]
    check = _Checker(image, container.get("User", ""), tuple(container["Env"]), secrets)
    return Change("check", f"the hub's configuration in {image}", manager, check)


@dataclass(frozen=True)
class _Checker:
    image: str
    user: str
    environment: tuple[str, ...]
    secrets: Mapping[str, SecretStr]

    def __call__(self, host: Host, progress: Progress) -> None:
        body = {
            "Image": self.image,
            "User": self.user,
            "Entrypoint": ["python3"],
            "Cmd": list(ARGUMENTS),
            "Env": list(self.environment),
            "Labels": {"swarmhub": "check"},
            "HostConfig": {"NetworkMode": "none"},
        }
        files = {f"{SECRETS}/{name}": value.get_secret_value().encode() for name, value in self.secrets.items()}
        done = containers.once(host, body, files=files)
        problems = _problems(done.out.strip().splitlines())
        if problems:
            remedy = "The hub was not touched: correct it, then run this again"
            raise StepError(host.name, f"the hub's configuration: {'; '.join(problems)}", remedy)


def _problems(lines: Sequence[str]) -> list[str]:
    """Return what the container found: the last such line, whatever the configuration itself prints."""
    answer = next((line for line in reversed(lines) if line.startswith(MARK)), None)
    if answer is None:
        return [f"it cannot be loaded: {lines[-1] if lines else 'nothing is said'}"]
    return [str(problem) for problem in json.loads(answer)["problems"]]
