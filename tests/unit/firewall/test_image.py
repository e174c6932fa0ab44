"""The image of the firewall: its host's programs and the script."""

import io
import tarfile

from swarmhub.firewall import image
from tests.unit.support.fakes import FakeHost, FakeProgress


def test_its_programs_are_the_hosts_and_its_script_is_ours() -> None:
    """Links lead to where the host's folders are mounted."""
    with tarfile.open(fileobj=io.BytesIO(image.layer())) as tar:
        links = {one.name: one.linkname for one in tar if one.issym()}
        script = tar.extractfile("firewall.sh")
        assert script is not None
        assert script.read() == image.SCRIPT.read_bytes()
    assert (links["usr"], links["etc/alternatives"]) == ("/host/usr", "/host/etc/alternatives")


def test_it_is_loaded_under_a_name_that_is_its_content() -> None:
    """For the machine that the host is."""
    host = FakeHost(answers={"GET /version": {"Arch": "arm64"}, "POST /images/load": []})
    change = image.load("w", "jupyterhub")
    change.apply(host, FakeProgress())
    sent = host.engine.sent("POST /images/load").body
    assert change.sentence == f"load image {image.tag('jupyterhub')} on w"
    assert (image.tag("jupyterhub").encode() in sent, b'"arm64"' in sent) == (True, True)


def test_its_id_is_asked_for_by_that_name() -> None:
    """None where the host lacks it."""
    tag = image.tag("jupyterhub")
    there = FakeHost(answers={f"GET /images/{tag}/json": {"Id": "sha256:x"}})
    assert (image.observe(there, "jupyterhub"), image.observe(FakeHost(), "jupyterhub")) == ("sha256:x", None)
