"""An image that needs no registry."""

import hashlib
import io
import json
import tarfile

from swarmhub.engine import empty_image


def members(content: bytes) -> dict[str, bytes]:
    """Return the files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]


def test_every_node_gets_the_same_one() -> None:
    """The same bytes each time: the id, by which a service names it, is the same everywhere."""
    assert empty_image.tar("a", "amd64") == empty_image.tar("a", "amd64")


def test_names_and_digests_fit() -> None:
    """The configuration's name is its digest, and the layer's digest stands in it; an engine checks both."""
    files = members(empty_image.tar("trial", "arm64"))
    (manifest,) = json.loads(files["manifest.json"])
    config = files[manifest["Config"]]
    assert manifest["RepoTags"] == ["trial:latest"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    layer = hashlib.sha256(files["layer.tar"]).hexdigest()
    assert (json.loads(config)["rootfs"]["diff_ids"], json.loads(config)["architecture"]) == ([f"sha256:{layer}"], "arm64")
