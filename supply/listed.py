"""Ask the manager what is in the images that are built there, and print it as JSON for `supply.sbom`."""

import json
import sys
from pathlib import Path

from invoke.context import Context

from swarmhub.engine import containers
from swarmhub.errors import SettingsError, StepError, StepErrors
from swarmhub.host import Host, Json
from swarmhub.images import builder
from swarmhub.images.hub import build
from swarmhub.run.run import Run

SCRIPT = Path(__file__).with_name("inside.py")
IN_CONTAINER = "swarmhub-inside.py"


def main() -> int:
    """Print what is in each image, by its tag; return the exit code."""
    run = Run(Context())
    try:
        manager = run.hosts[run.manager]
        print(json.dumps({image.tag: inside(manager, image.tag) for image in build.wanted(run.settings)}))
    except (SettingsError, StepError, StepErrors) as error:
        print(f"sbom: {error}", file=sys.stderr)
        return 1
    finally:
        run.finish(None)
    return 0


def inside(manager: Host, tag: str) -> Json:
    """Return what is in an image.

    Raises:
        StepError: it is not built, or it cannot be listed.

    """
    if not builder.observe(manager, tag):
        raise StepError(manager.name, f"the image {tag} is not built", "Build it: fab build-hub")
    body = {
        "Image": tag,
        "Entrypoint": ["python3", f"/{IN_CONTAINER}"],
        "Cmd": [],
        "Labels": {containers.LABEL: "sbom"},
        "HostConfig": {"NetworkMode": "none"},
    }
    done = containers.once(manager, body, files={IN_CONTAINER: SCRIPT.read_bytes()})
    if done.code:
        raise StepError(manager.name, f"cannot list what is in {tag}: {done.last}", "Run this again")
    return json.loads(done.last)


if __name__ == "__main__":
    sys.exit(main())
