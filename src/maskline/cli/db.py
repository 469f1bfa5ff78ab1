"""`maskline db ...`."""

from cyclopts import App

from maskline.cli.context import Context
from maskline.config import hide_password
from maskline.store.engine import parse_database_url
from maskline.store.migrate import upgrade_schema
from maskline.store.setup import init_database


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="db", help="The database.")
    app.command(group)

    @group.command(name="init")
    def init() -> None:
        """Make the database and its key file where they are missing."""
        init_database(context.settings.effective_database_url, context.settings.effective_key_file)
        _answer("ready")

    @group.command(name="upgrade")
    def upgrade() -> None:
        """Bring an existing database to this release."""
        upgrade_schema(parse_database_url(context.settings.effective_database_url))
        _answer("current")

    @group.command(name="check")
    def check() -> None:
        """Open the database with its key file and say whether this release can use it."""
        with context.store():
            _answer("current")

    def _answer(state: str) -> None:
        place = hide_password(context.settings.effective_database_url)
        context.answer(
            {"database": place, "key_file": str(context.settings.effective_key_file), "state": state},
            f"{place}: {state}",
        )
