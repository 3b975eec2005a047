"""What a connection to RingCentral consists of, checked, and the names and keys derived from it."""

import base64
import json
from dataclasses import dataclass, field

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from voxlake.ringcentral.addresses import Origin


@dataclass(frozen=True)
class Credentials:
    """What a connection to RingCentral consists of.

    Attributes:
        server_url: `https://platform.ringcentral.com`; http is accepted for this machine only.
        client_id: The app's client id.
        client_secret: The app's client secret.
        jwt: The JWT credential that a user created for the app in the developer console.
        media_url: Where recordings are fetched from, besides `server_url`.
        connection: What the user calls these credentials, for messages.
        at_rest_key: Airflow's Fernet key, so that the shared token can be read by who has both; empty where there is
            none.
    """

    server_url: str
    client_id: str
    client_secret: str = field(repr=False)
    jwt: str = field(repr=False)
    media_url: str = "https://media.ringcentral.com"
    connection: str = ""
    at_rest_key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Checks every field.

        Raises:
            ValueError: A field is missing or malformed; the message names it and never shows a secret.
        """
        for name, where in (
            ("client_id", "login"),
            ("client_secret", "password"),
            ("jwt", 'extra, as {"jwt": "…"}'),
        ):
            value = getattr(self, name)
            if not value:
                raise ValueError(f"The RingCentral connection lacks {name}: put it into the field {where}.")
            if not value.isascii() or not value.isprintable() or " " in value:
                raise ValueError(
                    f"{name} of the RingCentral connection (field {where}) contains white space or characters that "
                    "no such value has: copy it again from the developer console."
                )
        _check_url("host", self.server_url)
        _check_url("media_host", self.media_url)

    @property
    def origins(self) -> tuple[Origin, Origin]:
        """The two places that may receive the access token, the API's first."""
        return Origin.parse(self.server_url), Origin.parse(self.media_url)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts that no error may show."""
        # As it stands in the header of a login.
        basic = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        secrets = (basic, self.client_secret, self.jwt, self.at_rest_key, self.verification_token)
        return tuple(secret for secret in secrets if secret)

    @property
    def quota_name(self) -> str:
        """A name for the user and app whose requests RingCentral counts together."""
        return self._derived("quota name", str(self.origins[0]), self.client_id, self.jwt).hex()[:32]

    @property
    def token_name(self) -> str:
        """A name for exactly these credentials, from which none of them can be found.

        Hosts with another `at_rest_key` have another name: they could not read each other's token, and would each
        replace it without end.
        """
        return self._derived("token name", *self._identity).hex()[:32]

    @property
    def verification_token(self) -> str:
        """What RingCentral is to send with every webhook request to a subscription of this app, as its proof.

        Derived, so that whoever subscribes and whoever receives agree on it, and nobody has to keep it.
        """
        return self._derived("webhook", str(self.origins[0]), self.client_id, self.client_secret).hex()

    def token_cipher(self) -> Fernet:
        """Encrypts what only a holder of exactly these credentials may read."""
        return Fernet(base64.urlsafe_b64encode(self._derived("token encryption", *self._identity)))

    @property
    def _identity(self) -> tuple[str, ...]:
        return str(self.origins[0]), self.client_id, self.client_secret, self.jwt, self.at_rest_key

    @staticmethod
    def _derived(purpose: str, *parts: str) -> bytes:
        material = json.dumps(parts).encode()
        return HKDF(SHA256(), 32, salt=None, info=f"voxlake ringcentral {purpose}".encode()).derive(material)


def _check_url(field_name: str, url: str) -> None:
    """Raises ValueError unless `url` is https://host[:port], or http:// on this machine."""
    try:
        origin = Origin.parse(url)
    except ValueError as error:
        # The value itself is not shown: it may hold a password before the host.
        raise ValueError(f"{field_name} of the RingCentral connection {error}. Expected is https://<host>.") from None
    if url.rstrip("/").lower() not in {str(origin), f"{origin}:{origin.port}"}:
        raise ValueError(
            f"{field_name} of the RingCentral connection has a path or parameters. Put only {origin} there."
        )
    if origin.scheme != "https" and not origin.is_loopback:
        raise ValueError(
            f"{field_name} of the RingCentral connection is {origin}: over http the access token could be read on "
            "the way. Use https."
        )
