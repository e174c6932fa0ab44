"""Write a bill of materials (CycloneDX) for each image that `supply.listed` has listed, checked against the schema.

make sbom     # sbom/jupyterhub.cdx.json, sbom/jupyterhub-proxy.cdx.json
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

Listed = Mapping[str, Sequence[Mapping[str, str]]]


def main(folder: str) -> int:
    """Write a file for each image on standard input; return the exit code."""
    images: Mapping[str, Listed] = json.load(sys.stdin)
    Path(folder).mkdir(exist_ok=True)
    for tag, listed in images.items():
        text = JsonV1Dot6(bill(tag, listed)).output_as_string(indent=1)
        if wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
            print(f"sbom: {tag}: {wrong}", file=sys.stderr)
            return 1
        file = Path(folder) / f"{tag.partition(':')[0]}.cdx.json"
        file.write_text(text)
        counted = ", ".join(f"{len(found)} {kind}" for kind, found in listed.items())
        print(f"sbom       {tag}: {counted}, in {file}")
    return 0


def bill(tag: str, listed: Listed) -> Bom:
    """Return the bill of materials of an image."""
    name, _, version = tag.partition(":")
    bom, image = Bom(), Component(name=name, version=version, type=ComponentType.CONTAINER, bom_ref=tag)
    bom.metadata.component = image
    parts = [
        Component(name=one.name, group=one.namespace, version=one.version, purl=one, bom_ref=str(one))
        for one in sorted(addresses(listed), key=str)
    ]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(image, parts)
    return bom


def addresses(listed: Listed) -> Iterator[PackageURL]:
    """Yield the address of each package."""
    for one in listed["debian"]:
        yield PackageURL("deb", "debian", one["name"], one["version"], {"arch": one["architecture"]})
    for one in listed["pypi"]:
        yield PackageURL("pypi", None, one["name"], one["version"])
    for one in listed["npm"]:
        scope, _, name = one["name"].rpartition("/")
        yield PackageURL("npm", scope or None, name, one["version"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
