"""What opens accounts to clients of the DeepCall dialect, over the native interface."""

from starlette.responses import Response

from maskline.api.native.errors import NativeError
from maskline.api.native.kernel import NativeKernel, refuse, reply
from maskline.api.native.models.common import instant, optional_instant
from maskline.api.native.models.deepcall import DeepCallCredentialsView, NewDeepCallCredentials, SsidView
from maskline.api.native.routes import Asked, Route
from maskline.core.access import Permission
from maskline.core.deepcall import (
    DeepCallCredentials,
    DeepCallCredentialsWanted,
    DeepCallRotation,
    TooManySsids,
)
from maskline.core.masking import MICROSECONDS
from maskline.workflows.deepcall_credentials import make_credentials, withdraw_credentials


class DeepCallAPI:
    """Operations on an account's DeepCall credentials."""

    def __init__(self, kernel: NativeKernel) -> None:
        self._kernel = kernel

    async def make_credentials(self, asked: Asked) -> Response:
        """Make what is missing of an account's DeepCall credentials, or rotate a part; a new ssid is shown once."""
        wanted = asked.read(NewDeepCallCredentials)
        now = self._kernel.clock.now()
        given = DeepCallCredentialsWanted(
            rotation=None if wanted.rotate is None else DeepCallRotation(wanted.rotate),
            can_change=not wanted.read_only,
            ssid_expires_at=now + wanted.ssid_expires_in_s * MICROSECONDS,
            old_until=now + wanted.overlap_s * MICROSECONDS,
        )
        return await self._kernel.write(asked, make_credentials, _tell, asked.account, given, now)

    async def withdraw_credentials(self, asked: Asked) -> Response:
        """Close the account to DeepCall clients: user id, token and every ssid are forgotten."""
        if not await self._kernel.store.write(withdraw_credentials, asked.account):
            raise NativeError("not-found")
        return reply(204)


def _tell(outcome: DeepCallCredentials | TooManySsids) -> Response:
    if isinstance(outcome, TooManySsids):
        return refuse(NativeError("too-many-ssids"))
    new = outcome.new_ssid
    view = DeepCallCredentialsView(
        user_id=outcome.user.user_id,
        token=outcome.user.token,
        old_token_until=optional_instant(outcome.user.old_token_until),
        ssid=None if new is None else new.ssid,
        ssid_expires_at=None if new is None else instant(new.expires_at),
        ssids=[
            SsidView(
                read_only=not it.can_change,
                created_at=instant(it.created_at),
                expires_at=instant(it.expires_at),
            )
            for it in outcome.ssids
        ],
    )
    return reply(200, view)


def deepcall_routes(api: DeepCallAPI) -> tuple[Route, ...]:
    """The rows of the table.

    They ask for what rotating tokens asks for, since these credentials do whatever the dialect can, as tokens do.
    """
    return (
        Route(
            path="/deepcall-credentials",
            method="POST",
            name="make_deepcall_credentials",
            operation=api.make_credentials,
            permission=Permission.ACCOUNTS_WRITE,
            request=NewDeepCallCredentials,
            response=DeepCallCredentialsView,
            problems=("too-many-ssids",),
        ),
        Route(
            path="/deepcall-credentials",
            method="DELETE",
            name="withdraw_deepcall_credentials",
            operation=api.withdraw_credentials,
            permission=Permission.ACCOUNTS_WRITE,
            status=204,
            problems=("not-found",),
        ),
    )
