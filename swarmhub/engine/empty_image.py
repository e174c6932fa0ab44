"""An image with nothing in it: what runs from it is its host's. Nothing has to be pulled."""

import hashlib
import json

from swarmhub.engine import context

NOTHING = context.archive({})


def tar(name: str, architecture: str, layer: bytes = NOTHING) -> bytes:
    """Return the image as `docker save` would: the same bytes, and so the same id, on every node.

    `name` is one with or without a tag; `layer` is a tar of its files.
    """
    digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {},
            "history": [{"created": "1970-01-01T00:00:00Z"}],
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }
    ).encode()
    config_file = f"{hashlib.sha256(config).hexdigest()}.json"
    tag = name if ":" in name else f"{name}:latest"
    manifest = [{"Config": config_file, "RepoTags": [tag], "Layers": ["layer.tar"]}]
    return context.archive({config_file: config, "layer.tar": layer, "manifest.json": json.dumps(manifest).encode()})
