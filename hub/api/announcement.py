"""The announcement, which changes while the hub runs."""

from http import HTTPStatus

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.scopes import needs_scope
from tornado.web import HTTPError

from hub.api import body
from hub.shared import announcement


class AnnouncementHandler(APIHandler):  # type: ignore[misc]  # jupyterhub has no types
    """What everybody has to know now."""

    @needs_scope("admin:users")  # type: ignore[untyped-decorator]  # nor has this
    def get(self) -> None:
        """Answer the text in force."""
        self.write({"text": announcement.in_force(self.settings[announcement.SETTING])})

    @needs_scope("admin:users")  # type: ignore[untyped-decorator]
    def put(self) -> None:
        """Put another text into force."""
        text = body.table(self).get("text")
        if not isinstance(text, str):
            raise HTTPError(HTTPStatus.BAD_REQUEST, "text is missing")
        announcement.change(self.settings[announcement.SETTING], text)
        self.set_status(HTTPStatus.NO_CONTENT)
