"""When what is installed in an image was installed."""

from datetime import UTC, datetime

from swarmhub.images.hub import age
from tests.unit.support.fakes import FakeHost

LONG_AGO, TODAY = 1_700_000_000, 1_790_000_000
COPIED = {"Created": TODAY, "CreatedBy": "/bin/sh -c #(nop) COPY file:1 in ./ "}
INSTALLED = {"Created": LONG_AGO, "CreatedBy": "RUN |1 FRESH= /bin/sh -c apt-get update  && apt-get install"}


def of(*steps: dict[str, object]) -> datetime | None:
    """Return what is read of an image's history."""
    return age.observe(FakeHost(answers={"GET /images/hub:1/history": list(steps)}), "hub:1")


def test_a_file_copied_in_today_makes_old_packages_no_younger() -> None:
    """The step counts that installs Debian's packages: a builder takes it from its cache."""
    assert of(COPIED, INSTALLED) == datetime.fromtimestamp(LONG_AGO, UTC)


def test_an_image_that_installs_nothing_is_as_old_as_its_last_step() -> None:
    """And one that is not there has no age."""
    assert of(COPIED, {"Created": LONG_AGO, "CreatedBy": ""}) == datetime.fromtimestamp(TODAY, UTC)
    assert age.observe(FakeHost(), "hub:1") is None
