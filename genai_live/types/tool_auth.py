"""How a tool proves who it is to another service. Declarations only: runs on any thread.

Source: Vertex AI reference, AuthConfig.
"""

from __future__ import annotations

from genai_live.types._base import Message, message, wire
from genai_live.types._tool_enums import AuthType, HttpElementLocation


@message
class ApiAuthApiKeyConfig(Message):
    """An API key. Deprecated in favour of ApiKeyConfig."""

    api_key_secret_version: str | None = wire('Where Secret Manager has it, "projects/{p}/secrets/{s}/versions/{v}".')
    api_key_string: str | None = wire("The key itself.", secret=True)


@message
class ApiAuth(Message):
    """Deprecated in favour of AuthConfig."""

    api_key_config: ApiAuthApiKeyConfig | None = wire("An API key.")


@message
class ApiKeyConfig(Message):
    """An API key, and where in the request it goes."""

    api_key_secret: str | None = wire('Where Secret Manager has it, "projects/{p}/secrets/{s}/versions/{v}".')
    api_key_string: str | None = wire("The key itself.", secret=True)
    http_element_location: HttpElementLocation | str | None = wire("Which part of the request carries it.")
    name: str | None = wire("Name of the parameter or header that carries it.")


@message
class AuthConfigGoogleServiceAccountConfig(Message):
    """A Google service account."""

    service_account: str | None = wire("Its address; by default the service's own agent.")


@message
class AuthConfigHttpBasicAuthConfig(Message):
    """User name and password."""

    credential_secret: str | None = wire('Where Secret Manager has them, "projects/{p}/secrets/{s}/versions/{v}", in base64.')


@message
class AuthConfigOauthConfig(Message):
    """OAuth: a token, or an account to get one for."""

    access_token: str | None = wire("The token itself.", secret=True)
    service_account: str | None = wire("Account to get a token for.")


@message
class AuthConfigOidcConfig(Message):
    """OpenID Connect: a token, or an account to get one for."""

    id_token: str | None = wire("The token itself.", secret=True)
    service_account: str | None = wire("Account to get a token for.")


@message
class AuthConfig(Message):
    """One way of proving who asks. The Developer API takes ``api_key`` only."""

    api_key: str | None = wire("An API key for Google Maps.", secret=True)
    api_key_config: ApiKeyConfig | None = wire("An API key.", mldev="error")
    auth_type: AuthType | str | None = wire("Which of the ways it is.", mldev="error")
    google_service_account_config: AuthConfigGoogleServiceAccountConfig | None = wire("A Google service account.", mldev="error")
    http_basic_auth_config: AuthConfigHttpBasicAuthConfig | None = wire("User name and password.", mldev="error")
    oauth_config: AuthConfigOauthConfig | None = wire("OAuth.", mldev="error")
    oidc_config: AuthConfigOidcConfig | None = wire("OpenID Connect.", mldev="error")
