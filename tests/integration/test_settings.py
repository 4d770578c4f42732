"""Settings: which value is in force, where it came from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.settings import BadSettings, LoadedSettings, load
from tests.integration.running import answered, minitwitter


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "DATA", "RATE_LIMITS__TWEETS_A_DAY"):
        monkeypatch.delenv(f"MINITWITTER_{name}", raising=False)


def origin(loaded: LoadedSettings, name: str) -> tuple[object, str]:
    return next((one.value, one.origin) for one in loaded.origins if one.name == name)


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "minitwitter.toml").write_text(text)
    return tmp_path / "minitwitter.toml"


def test_without_anything_the_defaults_hold() -> None:
    loaded = load()
    assert (loaded.settings.host, loaded.settings.port) == ("127.0.0.1", 8000)
    assert origin(loaded, "rate_limits.tweets_a_day") == (300, "default")
    assert {one.origin for one in loaded.origins} == {"default"}


def test_the_file_is_under_the_environment_which_is_under_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, "port = 1\nedit_minutes = 2\n[rate_limits]\ntweets_a_day = 3\nfollows_a_day = 4\n")
    monkeypatch.setenv("MINITWITTER_PORT", "5")
    monkeypatch.setenv("MINITWITTER_RATE_LIMITS__TWEETS_A_DAY", "6")
    loaded = load({"data": tmp_path, "port": 7})
    assert origin(loaded, "port") == (7, "command line")
    assert origin(loaded, "rate_limits.tweets_a_day") == (6, "environment")
    assert origin(loaded, "rate_limits.follows_a_day") == (4, str(path))
    assert origin(loaded, "edit_minutes") == (2, str(path))


def test_a_list_in_the_environment_is_divided_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINITWITTER_CORS_ORIGINS", "https://a.example, https://b.example")
    assert load().settings.cors_origins == ("https://a.example", "https://b.example")


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINITWITTER_TOKEN_SECRET", "x" * 40)
    loaded = load()
    assert origin(loaded, "token_secret") == ("********", "environment")
    assert "xxxx" not in repr(loaded.settings)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MINITWITTER_PROT", "1", "environment: MINITWITTER_PROT is no setting; did you mean MINITWITTER_PORT?"),
        ("MINITWITTER_PORT", "70000", "environment: port: Input should be less than or equal to 65535"),
        ("MINITWITTER_BCRYPT_COST", "many", "environment: bcrypt_cost: Input should be a valid integer"),
        (
            "MINITWITTER_TRUSTED_PROXIES",
            "10.0.0.7,x",
            "environment: trusted_proxies: Value error, 'x' is no IP address",
        ),
        ("MINITWITTER_TRUSTED_PROXIES", "10.0.0.0/33", "trusted_proxies: Value error, '10.0.0.0/33' is no IP address"),
        ("MINITWITTER_METRICS_FROM", "localhost", "metrics_from: Value error, 'localhost' is no IP address"),
        ("MINITWITTER_CORS_ORIGINS", "a.example", "cors_origins: Value error, 'a.example' is no origin"),
        ("MINITWITTER_CORS_ORIGINS", "https://a.example/", "cors_origins: Value error, 'https://a.example/' is no"),
    ],
)
def test_a_mistake_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BadSettings) as refused:
        load()
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "prot is no setting; did you mean port?"),
        ("port = -1", "port: Input should be greater than or equal to 0"),
        ("[rate_limits]\nfollows = 1", "rate_limits.follows is no setting; did you mean rate_limits.follows_a_day?"),
        ("port = = 1", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_file(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadSettings) as refused:
        load({"data": tmp_path})
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_a_file_that_was_asked_for_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="cannot be read: No such file"):
        load(config=tmp_path / "nowhere.toml")


def test_the_command_prints_every_setting_and_its_origin(tmp_path: Path) -> None:
    written(tmp_path, 'token_secret = "0123456789012345678901234567890123456789"')
    shown = answered("settings", "--data", tmp_path, "--port", "9000")
    assert shown["port"] == {"value": 9000, "from": "command line", "about": shown["port"]["about"]}
    assert shown["bcrypt_cost"]["from"] == "environment"
    assert shown["token_secret"]["value"] == "********"
    table = minitwitter("settings", "--data", tmp_path)
    assert table.returncode == 0
    assert "0123456789" not in table.stdout
    for name in shown:
        assert name in table.stdout


def test_a_proxy_that_is_no_address_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, 'trusted_proxies = ["x"]')
    refused = minitwitter("serve", "--data", tmp_path, "--port", "0")
    assert refused.returncode == 2
    assert "trusted_proxies" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["minitwitter.toml"]


def test_bad_settings_are_one_line_and_exit_code_2(tmp_path: Path) -> None:
    written(tmp_path, "port = 99999")
    refused = minitwitter("settings", "--data", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("minitwitter: ")
    assert refused.stderr.count("\n") == 1
