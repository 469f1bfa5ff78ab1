from pathlib import Path

import pytest

from maskline.config import Settings, hide_password, load_settings, render_settings
from maskline.config_types import Address, PortRange
from maskline.errors import ConfigError


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MASKLINE_CONFIG", *(f"MASKLINE_{field.upper()}" for field in Settings.model_fields)):
        monkeypatch.delenv(name, raising=False)


def test_defaults_need_nothing() -> None:
    """Without file, environment and flags the documented defaults hold."""
    settings = load_settings()
    assert settings.http_bind == Address("127.0.0.1", 8080)
    assert settings.sip_bind == (Address("127.0.0.1", 5060),)
    assert settings.rtp_ports == PortRange(20_000, 29_999)
    assert settings.effective_database_url == "sqlite:///var/maskline.db"
    assert settings.effective_key_file == Path("var/maskline.key")
    assert settings.effective_public_url == "http://127.0.0.1:8080"


def test_flags_beat_environment_beats_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each source overrides the one before it, setting by setting."""
    (tmp_path / "maskline.toml").write_text('http_bind = "[::1]:1"\nsip_bind = "10.0.0.1:2"\ncalls_max = 3\n')
    monkeypatch.setenv("MASKLINE_HTTP_BIND", "127.0.0.2:4")
    monkeypatch.setenv("MASKLINE_SIP_BIND", "127.0.0.3:5,[::1]:6")
    settings = load_settings(flags={"http_bind": "127.0.0.4:7", "key_file": None})
    assert settings.http_bind == Address("127.0.0.4", 7)
    assert settings.sip_bind == (Address("127.0.0.3", 5), Address("::1", 6))
    assert settings.calls_max == 3


def test_empty_environment_variable_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable set to nothing leaves the default."""
    monkeypatch.setenv("MASKLINE_HTTP_BIND", "")
    assert load_settings().http_bind.port == 8080


def test_relative_paths_in_the_file_count_from_the_file(tmp_path: Path) -> None:
    """A file elsewhere keeps its data beside itself."""
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "m.toml").write_text('data_dir = "data"\nkey_file = "/run/key"\n')
    settings = load_settings(folder / "m.toml")
    assert settings.data_dir == folder / "data"
    assert settings.key_file == Path("/run/key")


def test_config_variable_names_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """MASKLINE_CONFIG stands for --config."""
    (tmp_path / "other.toml").write_text("calls_max = 9\n")
    monkeypatch.setenv("MASKLINE_CONFIG", str(tmp_path / "other.toml"))
    assert load_settings().calls_max == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('http_bnd = "127.0.0.1:1"', "unknown setting: http_bnd; did you mean http_bind?"),
        ("calls_max = 0", "calls_max"),
        ("calls_max = [", "is not TOML"),
        ('http_bind = "127.0.0.1"', "expected HOST:PORT"),
        ('http_bind = "::1:80"', "stands in brackets"),
        ('http_bind = "h:65536"', "expected HOST:PORT"),
        ('sip_bind = "127.0.0.1:1,127.0.0.2:2"', "at most one IPv4"),
        ('sip_bind = ""', "at least one address"),
        ('sip_advertise = "1.2.3.4:5,[::1]:5"', "as many addresses as sip_bind"),
        ('rtp_bind = "localhost"', "rtp_bind"),
        ('outbound_allowed_networks = "10.0.0.1/8"', "outbound_allowed_networks"),
        ('sip_edges = "proxy.example"', "sip_edges"),
        ('rtp_ports = "5-4"', "at least 4 ports"),
        ('rtp_ports = "20000"', "expected FIRST-LAST"),
        ('database_url = "mysql://x"', "sqlite:///PATH or postgresql://"),
        ('public_url = "example.com"', "http://"),
        ('sip_tls_bind = "127.0.0.1:5061"', "needs sip_tls_cert"),
        ('log_level = "loud"', "log_level"),
    ],
)
def test_bad_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    """Every unusable setting is refused with a sentence that names it."""
    (tmp_path / "maskline.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert said in str(caught.value)


def test_unknown_environment_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelled variable is not silently ignored."""
    monkeypatch.setenv("MASKLINE_HTTP_BIN", "x")
    with pytest.raises(ConfigError, match="MASKLINE_HTTP_BIN; did you mean MASKLINE_HTTP_BIND"):
        load_settings()


def test_variables_of_the_tests_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """MASKLINE_TEST_ variables do not concern the service."""
    monkeypatch.setenv("MASKLINE_TEST_POSTGRESQL", "x")
    assert load_settings() == load_settings()


def test_named_file_must_exist(tmp_path: Path) -> None:
    """A file asked for by name is not silently skipped."""
    with pytest.raises(ConfigError, match=r"cannot read .*none\.toml"):
        load_settings(tmp_path / "none.toml")


def test_binary_file_is_refused(tmp_path: Path) -> None:
    """A file that is no text is refused, not half read."""
    (tmp_path / "maskline.toml").write_bytes(b"\xff\x00")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_settings()


def test_networks_for_outgoing_requests_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks are separated by commas, of either IP version, and none is allowed by default."""
    assert load_settings().outbound_allowed_networks == ()
    monkeypatch.setenv("MASKLINE_OUTBOUND_ALLOWED_NETWORKS", "10.0.0.0/8, fd00::/8,192.0.2.1")
    settings = load_settings()
    assert settings.outbound_allowed_networks == ("10.0.0.0/8", "fd00::/8", "192.0.2.1/32")
    assert render_settings(settings)["outbound_allowed_networks"] == "10.0.0.0/8,fd00::/8,192.0.2.1/32"


@pytest.mark.parametrize(("text", "is_on"), [("true", True), ("false", False)])
def test_switches_print_as_they_are_read(monkeypatch: pytest.MonkeyPatch, text: str, is_on: bool) -> None:
    """As TOML has them, wherever they are set."""
    monkeypatch.setenv("MASKLINE_DEEPCALL_OWN_NUMBERS", text)
    settings = load_settings()
    assert settings.deepcall_own_numbers is is_on
    assert render_settings(settings)["deepcall_own_numbers"] == text


def test_settings_are_frozen() -> None:
    """Nobody changes a setting after start."""
    with pytest.raises(ValueError, match="frozen"):
        load_settings().calls_max = 1  # type: ignore[misc]


def test_wildcards_need_an_announced_address() -> None:
    """Listening everywhere is fine, but peers must be told something they can reach."""
    settings = load_settings(flags={"sip_bind": "0.0.0.0:5060", "rtp_bind": "::"})
    with pytest.raises(ConfigError, match="MASKLINE_SIP_ADVERTISE"):
        _ = settings.effective_sip_advertise
    with pytest.raises(ConfigError, match="MASKLINE_RTP_ADVERTISE"):
        _ = settings.effective_rtp_advertise
    told = load_settings(flags={"sip_bind": "0.0.0.0:5060", "sip_advertise": "192.0.2.1:5060"})
    assert told.effective_sip_advertise == (Address("192.0.2.1", 5060),)


def test_render_hides_the_database_password() -> None:
    """What `config show` prints holds no secret."""
    settings = load_settings(flags={"database_url": "postgresql://m:hush@db:5432/m?password=hush"})
    rendered = render_settings(settings)
    assert "hush" not in str(rendered)
    assert rendered["database_url"] == "postgresql://m:***@db:5432/m"
    assert set(rendered) == set(Settings.model_fields)
    assert hide_password("sqlite:////x/y.db") == "sqlite:////x/y.db"


def test_edges_are_addresses_or_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody by default; an address is a network of one."""
    assert load_settings().sip_edges == ()
    monkeypatch.setenv("MASKLINE_SIP_EDGES", "10.0.0.7, fd00::/64")
    assert load_settings().sip_edges == ("10.0.0.7/32", "fd00::/64")
