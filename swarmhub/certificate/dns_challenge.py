"""ACME's proof of a domain by a DNS record, which a plugin of certbot makes; the only one for a wildcard."""

from dataclasses import dataclass

from pydantic import SecretStr

from swarmhub.settings import Settings, read_text

CREDENTIALS = "/swarmhub-dns-credentials"
# It takes its credentials as AWS's own tools do, and knows by itself when the record is everywhere.
ROUTE53 = "route53"


@dataclass(frozen=True)
class Dns:
    """The plugin, what the DNS provider wants to see, and the seconds until its name servers have a record."""

    plugin: str
    credentials: SecretStr
    propagation: int

    @property
    def arguments(self) -> list[str]:
        """Return certbot's arguments."""
        name = f"dns-{self.plugin}"
        if self.plugin == ROUTE53:
            return ["--authenticator", name]
        options = {"credentials": CREDENTIALS, "propagation-seconds": str(self.propagation)}
        return ["--authenticator", name, *(word for key, value in options.items() for word in (f"--{name}-{key}", value))]

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that certbot needs: where the credentials are, never what they are."""
        return {"AWS_SHARED_CREDENTIALS_FILE": CREDENTIALS} if self.plugin == ROUTE53 else {}


def desired(settings: Settings) -> Dns | None:
    """Return what the settings say, None where the authority asks by HTTP.

    Raises:
        SettingsError: the file with the credentials cannot be read.

    """
    certs = settings.certs
    if certs.dns is None or certs.dns_credentials is None:
        return None
    credentials = read_text(certs.dns_credentials, "certs.dns_credentials names it")
    return Dns(certs.dns, SecretStr(credentials), certs.dns_propagation)
