from tests.cli.conftest import Maskline

from maskline.config import Settings


def test_show_tells_every_setting(maskline: Maskline) -> None:
    """As JSON and as the lines of a settings file; without a database."""
    shown = maskline("config", "show", "--json", "--sip-bind", "192.0.2.1:5060,[::1]:5060").json
    assert set(shown) == set(Settings.model_fields)
    assert shown["sip_bind"] == shown["sip_advertise"] == "192.0.2.1:5060,[::1]:5060"
    lines = maskline("config", "show").out.splitlines()
    assert "http_bind = 127.0.0.1:8080" in lines
    assert "sip_tls_bind = " in lines


def test_show_hides_passwords(maskline: Maskline) -> None:
    """In the database's URL."""
    result = maskline("config", "show", "--database-url", "postgresql://maskline:hush@db/maskline")
    assert "hush" not in result.out
    assert "database_url = postgresql://maskline:***@db/maskline" in result.out
