"""Which proxy is chosen, and what of it may be shown."""

from __future__ import annotations

import pytest

from genai_live import Client, errors
from genai_live._network.proxy import Proxy, environment_proxy, is_direct, parse_proxy
from genai_live._secret import Secret


def read(url: str) -> Proxy:
    return parse_proxy(Secret(url))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy:3128", ("http", "proxy", 3128)),
        ("https://proxy", ("https", "proxy", 443)),
        ("HTTP://proxy", ("http", "proxy", 80)),
        ("proxy:8080", ("http", "proxy", 8080)),
        ("socks5://proxy", ("socks5", "proxy", 1080)),
        ("socks5h://[::1]:9050", ("socks5h", "::1", 9050)),
        ("socks4a://10.0.0.1:1", ("socks4a", "10.0.0.1", 1)),
    ],
)
def test_a_proxy_is_a_url_or_a_host_and_port(url: str, expected: tuple[str, str, int]) -> None:
    assert read(url)[:3] == expected


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://proxy", "not ftp"),
        ("http://", "host"),
        ("http://:3128", "host"),
        ("http://proxy:many", "port"),
        ("http://proxy:99999", "port"),
        ("http://[::1", "port"),
        ("socks9://proxy:1080", "not socks9"),
        ("http://pro xy:3128", "host"),
        ("http://pro\0xy:3128", "host"),
        ("http://half\ud800:3128", "host"),
    ],
)
def test_anything_else_is_refused_with_a_sentence_when_the_client_is_made(url: str, words: str) -> None:
    with pytest.raises(errors.ConfigError, match=words) as raised:
        Client(api_key="key", http_options={"proxy": url})
    assert raised.value.path == "http_options.proxy"


def test_user_and_password_are_decoded_and_never_shown() -> None:
    proxy = read("http://us%40er:p%3Ass@proxy:3128")
    assert proxy.user is not None
    assert proxy.password is not None
    assert (proxy.user.reveal(), proxy.password.reveal()) == ("us@er", "p:ss")
    assert proxy.url.reveal() == "http://us%40er:p%3Ass@proxy:3128"
    for shown in (str(proxy), repr(proxy)):
        assert "us@er" not in shown
        assert "p:ss" not in shown
    assert str(proxy) == "http://proxy:3128"


def test_an_ipv6_proxy_is_written_with_brackets() -> None:
    assert str(read("http://[::1]:3128")) == "http://[::1]:3128"
    assert read("http://[::1]:3128").url.reveal() == "http://[::1]:3128"


def test_names_are_looked_up_by_the_proxy_only_where_its_scheme_says_so() -> None:
    schemes = ("socks5", "socks5h", "socks4", "socks4a")
    assert [read(f"{scheme}://proxy").resolves_names for scheme in schemes] == [False, True, False, True]


# The environment


def chosen(
    monkeypatch: pytest.MonkeyPatch, host: str = "service.example", *, secure: bool = True, **environment: str
) -> str | None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = environment_proxy(host, 443 if secure else 80, secure=secure)
    return None if proxy is None else str(proxy)


def test_without_variables_nothing_is_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch) is None


def test_https_proxy_is_for_tls_and_http_proxy_for_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, HTTPS_PROXY="http://a:1", HTTP_PROXY="http://b:2") == "http://a:1"
    assert chosen(monkeypatch, secure=False) == "http://b:2"


def test_all_proxy_is_for_what_has_no_variable_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, ALL_PROXY="socks5://s:3", HTTP_PROXY="http://b:2") == "socks5://s:3"


def test_lower_case_wins_and_an_empty_one_switches_the_other_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, HTTPS_PROXY="http://a:1", https_proxy="http://c:3") == "http://c:3"
    assert chosen(monkeypatch, https_proxy="") is None


def test_http_proxy_in_a_cgi_program_is_the_word_of_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, secure=False, HTTP_PROXY="http://evil:1", REQUEST_METHOD="GET") is None
    assert chosen(monkeypatch, secure=False, http_proxy="http://own:1") == "http://own:1"


def test_a_variable_that_cannot_be_read_is_named_and_its_value_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(errors.ConfigError, match="HTTPS_PROXY") as raised:
        chosen(monkeypatch, HTTPS_PROXY="gopher://user:password@proxy")
    assert "password" not in str(raised.value)


def test_no_proxy_goes_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, HTTPS_PROXY="http://a:1", NO_PROXY="other.example, service.example") is None
    assert chosen(monkeypatch, "third.example") == "http://a:1"


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("service.example", "*"),
        ("service.example", "service.example"),
        ("service.example", "SERVICE.Example"),
        ("a.service.example", "service.example"),
        ("a.service.example", ".service.example"),
        ("a.service.example", "*.service.example"),
        ("service.example.", "service.example"),
        ("service.example", "service.example."),
        ("service.example", "service.example:443"),
        ("service.example", "nothing,,  service.example"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3", "10.0.0.0/8"),
        ("::1", "::1"),
        ("::1", "[::1]"),
        ("::1", "[::1]:443"),
        ("fd00::5", "fd00::/8"),
    ],
)
def test_no_proxy_names_hosts_domains_ports_addresses_and_networks(host: str, entry: str) -> None:
    assert is_direct(host, 443, entry)


@pytest.mark.parametrize(
    ("host", "entry"),
    [
        ("service.example", ""),
        ("service.example", "other.example"),
        ("myservice.example", "service.example"),
        ("service.example", "service.example:80"),
        ("service.example.evil", "service.example"),
        ("11.1.2.3", "10.0.0.0/8"),
        ("service.example", "10.0.0.0/8"),
        ("10.1.2.3", "10.0.0.0/99"),
        ("::2", "::1"),
        ("::1", "10.0.0.0/8"),
    ],
)
def test_and_no_others(host: str, entry: str) -> None:
    assert not is_direct(host, 443, entry)
