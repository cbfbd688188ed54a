"""Which certificates are trusted, and how a refusal is told."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest
import trustme

from genai_live import Client, errors
from genai_live._network.trust import refusal, trust
from tests.servers import AUTHORITY, BUNDLES


@pytest.fixture(autouse=True)
def _no_bundle_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in BUNDLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bundle(tmp_path: Path) -> str:
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return str(tmp_path / "authority.pem")


def test_a_context_of_the_callers_own_beats_everything(monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", bundle)
    own = ssl.create_default_context()
    assert trust(own, bundle) == (own, "the ssl_context given in http_options")


def test_a_bundle_of_the_callers_own_beats_the_environment(monkeypatch: pytest.MonkeyPatch, bundle: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    chosen = trust(None, bundle)
    assert chosen.store == f"the ca_bundle {bundle} given in http_options"
    assert len(chosen.context.get_ca_certs()) == 1


@pytest.mark.parametrize("name", BUNDLES)
def test_a_bundle_that_the_environment_names_is_trusted_alone(monkeypatch: pytest.MonkeyPatch, bundle: str, name: str) -> None:
    monkeypatch.setenv(name, bundle)
    assert trust().store == f"{bundle} named by the environment variable {name}"
    assert len(trust().context.get_ca_certs()) == 1


def test_what_a_user_names_counts_where_the_machine_names_another(
    monkeypatch: pytest.MonkeyPatch, bundle: str, tmp_path: Path
) -> None:
    machine = str(tmp_path / "machine.pem")
    trustme.CA().cert_pem.write_to_path(machine)
    monkeypatch.setenv("SSL_CERT_FILE", machine)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", machine)
    assert len(trust().context.get_ca_certs()) == 2
    assert trust().store == (
        f"{machine} named by the environment variable SSL_CERT_FILE"
        f" and {bundle} named by the environment variable REQUESTS_CA_BUNDLE"
    )


def test_without_any_the_system_and_certifi_are_trusted_together() -> None:
    chosen = trust()
    assert chosen.store == "certifi's bundle and the system's store"
    assert chosen.context.verify_mode is ssl.CERT_REQUIRED
    assert chosen.context.check_hostname
    assert len(chosen.context.get_ca_certs()) > 50


def test_a_directory_of_certificates_is_a_bundle_too(tmp_path: Path) -> None:
    assert trust(None, str(tmp_path)).context.verify_mode is ssl.CERT_REQUIRED


def test_a_bundle_that_was_replaced_is_read_again(bundle: str) -> None:
    first = trust(None, bundle).context
    assert trust(None, bundle).context is first
    path = Path(bundle)
    path.write_bytes(path.read_bytes() * 2)
    changed = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(changed, changed))
    assert trust(None, bundle).context is not first


@pytest.mark.parametrize("content", [None, b"", b"not a certificate"])
def test_a_bundle_that_cannot_be_used_is_named_with_its_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(errors.ConfigError, match=r"bundle\.pem cannot be used") as raised:
        trust(None, str(path))
    assert raised.value.path == "http_options.ca_bundle"
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(errors.ConfigError, match=r"^SSL_CERT_FILE: .*bundle\.pem cannot be used"):
        trust()


@pytest.mark.parametrize(("name", "value"), [("ca_bundle", 5), ("ssl_context", "context"), ("ssl_context", True)])
def test_something_else_is_refused_when_the_client_is_made(name: str, value: object) -> None:
    with pytest.raises(errors.ConfigError, match=type(value).__name__) as raised:
        Client(api_key="key", http_options={name: value})
    assert raised.value.path == f"http_options.{name}"


def test_a_path_object_is_a_path(bundle: str) -> None:
    assert Client(api_key="key", http_options={"ca_bundle": Path(bundle)})._api_client.options.ca_bundle == bundle


@pytest.mark.parametrize(
    ("code", "message", "cure"),
    [
        (10, "certificate has expired", "clock"),
        (9, "certificate is not yet valid", "clock"),
        (62, "Hostname mismatch, certificate is not valid for 'x'.", "another host"),
        (64, "IP address mismatch, certificate is not valid for '1.2.3.4'.", "another host"),
        (20, "unable to get local issuer certificate", "ca_bundle"),
        (18, "self-signed certificate", "ca_bundle"),
    ],
)
def test_a_refusal_says_why_names_the_store_and_what_to_do(code: int, message: str, cure: str) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = code, message
    words, advice = refusal(error, "the store")
    assert words == message.rstrip(".")
    assert advice.startswith("The certificate was checked against the store. ")
    assert cure in advice
