"""The document that the hub is handed, read again."""

import pytest

from swarmhub import handed
from tests.unit.fakes import EXTRA, NOTEBOOK, settings, with_extra


def test_its_images_are_those_that_the_nodes_hold() -> None:
    """Pinned, whichever table names them."""
    pinned = {NOTEBOOK: "quay.io/x@sha256:1", EXTRA: "quay.io/y@sha256:2"}
    assert handed.images(handed.document(with_extra(settings()), pinned)) == ["quay.io/x@sha256:1", "quay.io/y@sha256:2"]


@pytest.mark.parametrize("text", ["", "no document", "[]", "{}"])
def test_what_is_no_document_has_no_images(text: str) -> None:
    """A service that was changed by hand is no reason to fail."""
    assert handed.images(text) == []
