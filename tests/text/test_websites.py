"""Which addresses a profile links to: those that a browser opens as they are read."""

import pytest

from command_api.text.errors import ForbiddenCharacter, NoAddress
from command_api.text.websites import check_website


@pytest.mark.parametrize(
    "address",
    [
        *("", "https://example.org", "http://a.example:8080/b?c=%20#d", "https://b\u00fccher.example/\u00e4"),
        *("http://[::1]/", "https://xn--bcher-kva.example/user@name"),
    ],
)
def test_these_are_websites(address: str) -> None:
    assert check_website(address) == address


@pytest.mark.parametrize(
    "address",
    [
        *("javascript:alert(1)", "https://", "https:///a", "https://a b", "//a.example", "HTTP:a.example"),
        *("https://a:99999/", "https://a:b/", "https://user:pass@a.example", "https://user%40b@a.example/"),
        *("https://user%40a.example", "https://a%2eb", "https://bank.example\uff20a.example", "https://a\\@b.example"),
        *("https://bank.example\u2100a.example", "https://a<b.example", "https://1.2.3.456/", "https://xn--a"),
        *(
            "https://a\u200bb.example",
            "https://a\u00adb.example",
            "https://a\u200e.example",
            "https://a.example/\u2060",
        ),
    ],
)
def test_these_lead_nowhere_or_elsewhere(address: str) -> None:
    with pytest.raises((NoAddress, ForbiddenCharacter)):
        check_website(address)
