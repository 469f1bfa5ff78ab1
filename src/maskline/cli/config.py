"""`maskline config ...`."""

from cyclopts import App

from maskline.cli.context import Context
from maskline.config import render_settings


def add_commands(app: App, context: Context) -> None:
    """Register the group."""
    group = App(name="config", help="The settings of this process.")
    app.command(group)

    @group.command(name="show")
    def show() -> None:
        """Print the effective settings, secrets hidden."""
        values = render_settings(context.settings)
        context.answer(
            values, *(f"{name} = {'' if value is None else value}" for name, value in values.items())
        )
