"""Stand in for GitHub's OAuth and the parts of its API that a hub asks.

A browser gets a page with one button a user; everything after that is the
OAuth web application flow as GitHub documents it. The users, organisations
and teams come from a JSON file.
"""

import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, jsonify, redirect, render_template_string, request

PEOPLE: dict[str, Any] = json.loads(Path("/srv/lab/people.json").read_text())
CLIENT_ID, CLIENT_SECRET = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"]

app = Flask(__name__)
codes: dict[str, str] = {}
tokens: dict[str, str] = {}

PAGE = """<!doctype html><title>GitHub stand-in</title>
<style>body{font:16px sans-serif;max-width:32em;margin:4em auto}button{font:inherit;margin:.3em 0;padding:.4em 1em}</style>
<h1>Log in as …</h1><p>This lab's stand-in for GitHub. No password is asked.</p>
<form method="post">{% for name, person in people.items() %}
<div><button name="login" value="{{ name }}">{{ name }}</button> {{ person.about }}</div>{% endfor %}</form>"""


@app.get("/login/oauth/authorize")
def choose() -> str:
    """Show whom one can log in as."""
    _check(request.args.get("client_id") == CLIENT_ID, 404)
    return render_template_string(PAGE, people=PEOPLE)


@app.post("/login/oauth/authorize")
def authorize() -> Any:
    """Send the browser back to the hub with a one-time code."""
    login = request.form["login"]
    _check(request.args.get("client_id") == CLIENT_ID and login in PEOPLE, 404)
    code = secrets.token_hex(10)
    codes[code] = login
    answer = {"code": code, "state": request.args.get("state", "")}
    return redirect(f"{request.args['redirect_uri']}?{urlencode(answer)}")


@app.post("/login/oauth/access_token")
def access_token() -> Response:
    """Trade a code for a token, as GitHub does: errors come with status 200."""
    sent = request.form or request.get_json(force=True)
    if (sent.get("client_id"), sent.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        return jsonify(error="incorrect_client_credentials")
    login = codes.pop(sent.get("code", ""), None)
    if login is None:
        return jsonify(error="bad_verification_code")
    token = f"gho_{secrets.token_hex(18)}"
    tokens[token] = login
    return jsonify(access_token=token, token_type="bearer", scope="")  # noqa: S106 - a word of the protocol


@app.get("/api/v3/user")
def user() -> Response:
    """Tell who a token belongs to."""
    login = _login()
    number = 1000 + list(PEOPLE).index(login)
    return jsonify(login=login, id=number, name=login.title(), email=f"{login}@lab.invalid")


@app.get("/api/v3/user/orgs")
def organisations() -> Response:
    """List the organisations of a token's user."""
    return jsonify([{"login": name} for name in PEOPLE[_login()].get("organisations", [])])


@app.get("/api/v3/orgs/<org>/members/<name>")
def membership(org: str, name: str) -> tuple[str, int]:
    """Answer 204 for a member and 404 for others."""
    _login()
    return "", 204 if org in PEOPLE.get(name, {}).get("organisations", []) else 404


@app.get("/api/v3/orgs/<org>/teams/<team>/members/<name>")
def team_membership(org: str, team: str, name: str) -> tuple[str, int]:
    """Answer 204 for a team's member and 404 for others."""
    _login()
    return "", 204 if f"{org}:{team}" in PEOPLE.get(name, {}).get("teams", []) else 404


@app.get("/")
def alive() -> str:
    """Answer that the stand-in runs."""
    return "GitHub stand-in of the swarmhub lab\n"


def _login() -> str:
    token = request.headers.get("Authorization", "").partition(" ")[2]
    _check(token in tokens, 401)
    return tokens[token]


def _check(holds: bool, status: int) -> None:
    if not holds:
        abort(status)


if __name__ == "__main__":
    app.run("0.0.0.0", int(sys.argv[1]), ssl_context=("/srv/lab/github.crt", "/srv/lab/github.key"))
