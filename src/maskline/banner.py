"""What an operator wants to see first; with the sandbox, what to type next."""

from maskline.config_types import Address
from maskline.core.deepcall import DeepCallUser
from maskline.parts import Service


def render_banner(service: Service) -> str:
    """What an operator wants to see first; with the sandbox, what to type next."""
    base = f"http://{Address(*service.http_address)}"
    lines = [f"Maskline   {base}   SIP {Address(*service.sip_address)}"]
    account = service.account
    if account is None or service.sandbox_address is None:
        return lines[0]
    token = account.token.reveal()
    url = f"{base}/v1/Account/{account.auth_id}/Masking/Session/"
    body = '{"first_party": "+919812300001", "second_party": "+919812300002"}'
    return "\n".join(
        (
            *lines,
            "",
            f"  auth id     {account.auth_id}",
            f"  auth token  {token}",
            *_deepcall_lines(service.deepcall_user),
            f"  numbers     {' '.join(service.numbers)}",
            f"  phones      register at {Address(*service.sandbox_address)} over UDP; user name: a phone number",
            "",
            "Create a masking session:",
            f"  curl -u {account.auth_id}:{token} -H 'Content-Type: application/json' \\",
            f"    -d '{body}' {url}",
            "",
            *_deepcall_example(service.deepcall_user, base),
            "Then dial the virtual number it answers with from either phone. Ctrl-C stops.",
        )
    )


def _deepcall_lines(user: DeepCallUser | None) -> tuple[str, ...]:
    if user is None:
        return ()
    return (
        f"  DeepCall    userId {user.user_id}",
        f"              token {user.token.reveal()}",
    )


def _deepcall_example(user: DeepCallUser | None, base: str) -> tuple[str, ...]:
    if user is None:
        return ()
    credentials = f'"userId": "{user.user_id}", "token": "{user.token.reveal()}"'
    return (
        "The same in DeepCall's words:",
        f'  curl -d \'{{{credentials}, "m1": 9812300001, "m2": 9812300002}}\' \\',
        f"    {base}/api/v2/Masking/set",
        "",
    )
