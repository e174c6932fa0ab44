"""What each program is told of the HTTP proxy."""

from pydantic import SecretStr

from swarmhub.settings import outbound
from tests.unit.support.fakes import settings

URL = "http://proxy.example.org:3128"


def test_the_hubs_own_goes_past_it() -> None:
    """Its services by their names, its networks, this machine; then what the operator names."""
    given = settings(network={"subnet": "10.20.0.0/16"}, http_proxy={"url": URL, "no_proxy": ["git.example.org"]})
    found = outbound.past(given)
    assert {"localhost", "127.0.0.1", "jupyterhub", "jupyterhub-proxy", "jupyterhub-engine", "10.20.0.0/16"} <= {*found}
    assert found[-1] == "git.example.org"


def test_programs_learn_of_it_by_both_names_of_each_variable() -> None:
    """From hosts.toml, or from a secret."""
    plain = outbound.variables(settings(http_proxy={"url": URL}), {})
    named = settings(http_proxy={"url": {"secret": "NAME"}}, secrets={"names": ["NAME"]})
    secret = outbound.variables(named, {"NAME": SecretStr(f"{URL}/x")})
    assert [one["https_proxy"].get_secret_value() for one in (plain, secret)] == [URL, f"{URL}/x"]
    assert {*plain} == {"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy"}
    assert outbound.variables(settings(), {}) == {}
