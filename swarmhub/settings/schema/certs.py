"""Where the TLS certificate comes from: files of one's own, or certbot on the manager."""

import re
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StrictBool, StrictInt, model_validator

from swarmhub.settings.schema.grammar import Email, FilePath, HttpsUrl, Table, misplaced, word
from swarmhub.settings.schema.notebook import TaggedImage

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
LETS_ENCRYPT_STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
CERTBOT = "v5.1.0"
OF_CERTBOT = (
    "email",
    "staging",
    "server",
    "staging_server",
    "image",
    "wildcard",
    "dns",
    "dns_credentials",
    "dns_propagation",
)

Plugin = Annotated[
    str, AfterValidator(word(re.compile(r"[a-z0-9][a-z0-9-]*"), 'the name of a certbot DNS plugin, such as "cloudflare"'))
]


class Certs(Table):
    """The TLS certificate: by certbot on the manager, or from files of your own."""

    email: Email | None = Field(None, description="Where the certificate authority writes to.")
    staging: StrictBool = Field(
        True, description="Use the staging server, whose certificates browsers refuse, to try things out."
    )
    server: HttpsUrl = Field(LETS_ENCRYPT, description="The ACME server's directory.")
    staging_server: HttpsUrl = Field(LETS_ENCRYPT_STAGING, description="The one used while `staging` is true.")
    ca: FilePath | None = Field(
        None, description="PEM file with the CAs of a private ACME server, and of what it or your own authority issues."
    )
    image: TaggedImage | None = Field(
        None,
        description=f"The certbot image. Default: `certbot/certbot:{CERTBOT}`; with `dns`, `certbot/dns-PLUGIN:{CERTBOT}`.",
    )
    wildcard: StrictBool = Field(False, description="Ask for `*.DOMAIN` too, which takes `dns`.")
    dns: Plugin | None = Field(
        None,
        description="Prove the domain by a DNS record that this certbot plugin makes, such as `cloudflare`, `rfc2136` or "
        "`route53`. Default: by HTTP, on port 80.",
    )
    dns_credentials: FilePath | None = Field(
        None, description="The plugin's file with what your DNS provider wants to see, as its documentation says."
    )
    dns_propagation: StrictInt = Field(
        60, ge=1, le=3600, description="The seconds until all of the provider's name servers have the record."
    )
    certificate: FilePath | None = Field(
        None, description="A certificate of your own, PEM: the server's first, then the intermediate ones. No certbot then."
    )
    key: FilePath | None = Field(None, description="Its private key, PEM, without a password.")

    @property
    def is_own(self) -> bool:
        """Tell whether the certificate is the operator's, and not certbot's."""
        return self.certificate is not None

    @property
    def is_staging(self) -> bool:
        """Tell whether browsers are expected to refuse the certificate."""
        return self.staging and not self.is_own

    @property
    def is_by_http(self) -> bool:
        """Tell whether a certificate authority asks on port 80."""
        return not (self.is_own or self.dns)

    @property
    def certbot(self) -> str:
        """Return the image of certbot."""
        return self.image or (f"certbot/dns-{self.dns}:{CERTBOT}" if self.dns else f"certbot/certbot:{CERTBOT}")

    @model_validator(mode="after")
    def _files_are_whole(self) -> Self:
        for key, other in (("certificate", "key"), ("key", "certificate")):
            if getattr(self, key) and not getattr(self, other):
                raise misplaced(f"is missing: certs.{key} needs it", other)
        for key in OF_CERTBOT:
            if self.is_own and key in self.model_fields_set:
                raise misplaced("is certbot's, and does not go with a certificate of your own; remove one of the two", key)
        return self

    @model_validator(mode="after")
    def _dns_is_whole(self) -> Self:
        if self.wildcard and not self.dns:
            raise misplaced("needs certs.dns: authorities prove a wildcard by DNS only", "wildcard")
        if self.dns and not self.dns_credentials:
            raise misplaced("is missing: certs.dns needs it", "dns_credentials")
        for key in ("dns_credentials", "dns_propagation"):
            if key in self.model_fields_set and not self.dns:
                raise misplaced("does not go without certs.dns; name the plugin there", key)
        return self
