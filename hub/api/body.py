"""What is sent to the hub's API, by whoever may use it: nothing in it is trusted."""

from http import HTTPStatus
from typing import Any

from tornado.web import HTTPError


def table(handler: Any) -> dict[str, Any]:
    """Return the table in JSON that a request has; an empty one, where it has none.

    Raises:
        HTTPError: it has something else.

    """
    found = handler.get_json_body() or {}
    if not isinstance(found, dict):
        raise HTTPError(HTTPStatus.BAD_REQUEST, "the body is no JSON object")
    return found
