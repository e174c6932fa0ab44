"""What is sent to the hub's API."""

from types import SimpleNamespace
from typing import Any

import pytest
from tornado.web import HTTPError

from hub.api import body


def table(sent: Any) -> dict[str, Any]:
    """Return what is read of a request."""
    return body.table(SimpleNamespace(get_json_body=lambda: sent))


@pytest.mark.parametrize("sent", [None, {}, {"keep": True}])
def test_a_table_is_read(sent: Any) -> None:
    """No body is an empty one."""
    assert table(sent) == (sent or {})


@pytest.mark.parametrize("sent", [[{"keep": True}], "keep", 7, True])
def test_anything_else_is_refused(sent: Any) -> None:
    """It is no error of the hub's, whose log would have a traceback for each."""
    with pytest.raises(HTTPError, match="400"):
        table(sent)
