"""Which proxy is chosen, and what of it may be shown."""

from __future__ import annotations

import os
from typing import Any

import pytest

from genai_live import Client, errors, types
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
        ("socks://10.0.0.1:1080/", ("socks5h", "10.0.0.1", 1080)),
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
        ("service.example", "nothing service.example other"),
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


def test_a_proxy_is_told_with_the_setting_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("http://a:1").named == "http://a:1 (http_options.proxy)"
    monkeypatch.setenv("all_proxy", "socks://user:secret@a:1/")
    proxy = environment_proxy("service.example", 443, secure=True)
    assert proxy is not None
    assert proxy.named == "socks5h://a:1 (all_proxy)"


def test_an_empty_proxy_of_the_client_means_none_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://none:can-read")
    for options in ({"proxy": ""}, {"proxy": "  "}, types.HttpOptions(proxy="")):
        direct = Client(api_key="k", http_options=options)._api_client.options
        assert direct.proxy_for("service.example", 443, secure=True) is None
    for options in ({"proxy": None}, {}):
        with pytest.raises(errors.ConfigError, match="ALL_PROXY"):
            Client(api_key="k", http_options=options)._api_client.options.proxy_for("service.example", 443, secure=True)


# An environment like that of Windows, whose names are all in upper case, and found in any


class UpperCased(dict[str, str]):
    """Finds a name however it is spelled, and has it in upper case."""

    def __init__(self, **variables: str) -> None:
        super().__init__({name.upper(): value for name, value in variables.items()})

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.upper())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).upper())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.upper(), default)


def chosen_in(monkeypatch: pytest.MonkeyPatch, *, secure: bool, **variables: str) -> Proxy | None:
    monkeypatch.setattr(os, "environ", UpperCased(**variables))
    return environment_proxy("service.example", 443 if secure else 80, secure=secure)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "Http_Proxy"])
def test_http_proxy_of_a_cgi_request_is_not_obeyed_there_either(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen_in(monkeypatch, secure=False, REQUEST_METHOD="GET", **{name: "http://evil:1"}) is None
    assert chosen_in(monkeypatch, secure=False, **{name: "http://own:1"}) is not None


def test_the_others_are_obeyed_in_a_cgi_request_and_named_as_they_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    for secure, name in ((True, "https_proxy"), (False, "all_proxy")):
        proxy = chosen_in(monkeypatch, secure=secure, REQUEST_METHOD="GET", HTTP_PROXY="http://evil:1", **{name: "http://own:1"})
        assert proxy is not None
        assert proxy.named == f"http://own:1 ({name.upper()})"


# The settings of Windows and macOS, which the standard library reads


def system_says(monkeypatch: pytest.MonkeyPatch, proxies: dict[str, str], *direct: str) -> None:
    monkeypatch.setattr("urllib.request.getproxies", lambda: proxies)
    monkeypatch.setattr("urllib.request.proxy_bypass", lambda host: host in direct)


@pytest.mark.parametrize(
    ("proxies", "secure", "expected"),
    [
        ({"http": "http://h:1", "https": "http://s:2"}, True, "http://s:2"),
        ({"http": "http://h:1", "https": "http://s:2"}, False, "http://s:2"),
        ({"http": "http://h:1"}, False, "http://h:1"),
        ({"http": "http://h:1"}, True, None),
        ({"ftp": "http://f:1"}, True, None),
        ({"https": "http://s:2", "socks": "http://k:3"}, True, "socks5h://k:3"),
        ({"socks": "socks://k:3"}, False, "socks5h://k:3"),
        ({}, True, None),
    ],
)
def test_the_systems_proxies_count_where_no_variable_names_one(
    proxies: dict[str, str], secure: bool, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    system_says(monkeypatch, proxies, "intranet.example:443")
    proxy = environment_proxy("service.example", 443, secure=secure)
    assert (None if proxy is None else str(proxy)) == expected
    assert proxy is None or proxy.source == "the system's proxy settings"
    assert environment_proxy("intranet.example", 443, secure=secure) is None


def test_a_variable_beats_the_system_and_so_does_no_proxy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    system_says(monkeypatch, {"https": "http://s:2"})
    assert chosen(monkeypatch, HTTPS_PROXY="http://a:1") == "http://a:1"
    monkeypatch.delenv("HTTPS_PROXY")
    assert chosen(monkeypatch, HTTP_PROXY="http://a:1") is None
    monkeypatch.delenv("HTTP_PROXY")
    assert chosen(monkeypatch, NO_PROXY="other.example") is None


def test_an_empty_proxy_of_the_client_beats_the_system_too(monkeypatch: pytest.MonkeyPatch) -> None:
    system_says(monkeypatch, {"https": "http://s:2"})
    for options, expected in (({}, "http://s:2"), ({"proxy": ""}, None)):
        proxy = Client(api_key="k", http_options=options)._api_client.options.proxy_for("service.example", 443, secure=True)
        assert (None if proxy is None else str(proxy)) == expected
