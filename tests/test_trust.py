"""Which certificates are trusted, and how a refusal is told."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from genai_live import Client, errors
from genai_live._network.trust import refusal, tls_failure, trust
from genai_live.emulator import LiveEmulator
from tests.servers import AUTHORITY, BUNDLES, PATIENCE, served


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


def test_on_macos_the_advice_names_truststore(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code, error.verify_message = 20, "unable to get local issuer certificate"
    assert "truststore" not in refusal(error, "the store")[1]
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "ssl_context to truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)" in refusal(error, "the store")[1]


@pytest.mark.parametrize(
    ("reason", "cure"),
    [
        ("TLSV1_ALERT_PROTOCOL_VERSION", "TLS 1.2 or newer"),
        ("UNSUPPORTED_PROTOCOL", "TLS 1.2 or newer"),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLS 1.2 or newer"),
        ("SSL/TLS_ALERT_HANDSHAKE_FAILURE", "TLS 1.2 or newer"),
        ("TLSV1_ALERT_INSUFFICIENT_SECURITY", "TLS 1.2 or newer"),
        ("DH_KEY_TOO_SMALL", "TLS 1.2 or newer"),
        ("WRONG_VERSION_NUMBER", "may not speak TLS"),
        ("RECORD_LAYER_FAILURE", "may not speak TLS"),
        (None, "may not speak TLS"),
    ],
)
def test_tls_that_is_too_old_is_told_from_none_at_all(reason: str | None, cure: str) -> None:
    error = ssl.SSLError(1, "words of OpenSSL")
    error.reason = reason  # type: ignore[assignment]
    words, advice = tls_failure(error, "words of OpenSSL")
    assert "words of OpenSSL" in words
    assert cure in advice
    assert ("too old" in words) == ("newer" in cure)


# A program that replaces ssl.SSLContext


@pytest.fixture
def inject(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    truststore = pytest.importorskip("truststore", reason="truststore is in the extra test")
    yield truststore.inject_into_ssl
    truststore.extract_from_ssl()


def test_a_context_made_before_or_after_truststore_was_injected_is_one(inject: Callable[[], None]) -> None:
    before = ssl.create_default_context()
    inject()
    for own in (before, ssl.create_default_context()):
        assert Client(api_key="key", http_options={"ssl_context": own})._api_client.options.ssl_context is own


def test_truststore_counts_for_connections_after_it_was_injected(inject: Callable[[], None], bundle: str) -> None:
    plain = ssl.SSLContext
    before = trust(), trust(None, bundle)
    inject()
    after = trust(), trust(None, bundle)
    assert [type(each.context) for each in (*before, *after)] == [plain, plain, ssl.SSLContext, ssl.SSLContext]
    assert ssl.SSLContext is not plain
    assert trust().context is after[0].context


@pytest.mark.parametrize("kept", ["a new session", "the client's session and its tokens"])
def test_sessions_and_tokens_work_after_truststore_was_injected(kept: str, inject: Callable[[], None], bundle: str) -> None:
    with LiveEmulator(tls=served("localhost"), pace=0.0, voice=False) as emulator:
        options = {"base_url": f"https://localhost:{emulator.port}", "ca_bundle": bundle}
        client = Client(api_key="key", http_options=options)
        with client.live.connect(model="emulator", timeout=PATIENCE) as session:
            inject()
            assert session.ask("Hello", timeout=PATIENCE).audio
            later = client if "client" in kept else Client(api_key="key", http_options=options)
            assert later.auth_tokens.create().name
            with later.live.connect(model="emulator", timeout=PATIENCE) as another:
                assert another.ask("Hello", timeout=PATIENCE).audio
