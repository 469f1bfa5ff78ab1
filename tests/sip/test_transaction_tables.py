"""Every cell of every transaction table, the illegal ones too."""

import pytest

from maskline.sip.errors import LocalProtocolError
from maskline.sip.transaction_tables import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Input,
    State,
    Table,
    look_up,
)

# The figures of RFC 3261 and RFC 6026 once more, by hand: state, input, next state, actions in short.
# Actions: + passed to the user, a ACK, s send, r replay, x timers stopped, D M J K linger, b back off, 2 every T2,
# T start of both timers, 4 timed out, 5 transport failed.
INVITE_CLIENT_CELLS = """
calling response-1xx proceeding x+         calling response-2xx accepted xM+
calling response-failure completed xDa+    calling retransmit calling rb
calling timeout terminated x4              calling transport-error terminated x5
calling abandon terminated x4              proceeding response-1xx proceeding +
proceeding response-2xx accepted M+        proceeding response-failure completed Da+
proceeding transport-error terminated 5    proceeding abandon terminated 4
completed response-1xx completed .         completed response-2xx completed +
completed response-failure completed r     completed transport-error completed .
completed linger terminated .              accepted response-1xx accepted .
accepted response-2xx accepted +           accepted response-failure accepted .
accepted transport-error accepted .        accepted linger terminated .
"""
NON_INVITE_CLIENT_CELLS = """
trying response-1xx proceeding +             trying response-2xx completed xK+
trying response-failure completed xK+        trying retransmit trying rb
trying timeout terminated x4                 trying transport-error terminated x5
proceeding response-1xx proceeding +         proceeding response-2xx completed xK+
proceeding response-failure completed xK+    proceeding retransmit proceeding r2
proceeding timeout terminated x4             proceeding transport-error terminated x5
completed response-1xx completed .           completed response-2xx completed .
completed response-failure completed .       completed transport-error completed .
completed linger terminated .
"""
INVITE_SERVER_CELLS = """
proceeding request proceeding r            proceeding ack proceeding .
proceeding send-1xx proceeding s           proceeding send-2xx accepted Ms
proceeding send-failure completed Ts       proceeding drop silent M
proceeding transport-error terminated 5    completed request completed r
completed ack confirmed xK                 completed retransmit completed rb
completed timeout terminated x             completed transport-error terminated x
confirmed request confirmed .              confirmed ack confirmed .
confirmed transport-error confirmed .      confirmed linger terminated .
accepted request accepted .                accepted ack accepted +
accepted transport-error accepted .        accepted linger terminated .
silent request silent .                    silent ack silent .
silent transport-error silent .            silent linger terminated .
"""
NON_INVITE_SERVER_CELLS = """
trying request trying .                trying send-2xx completed Js
trying send-failure completed Js       trying transport-error terminated 5
completed request completed r          completed transport-error completed .
completed linger terminated .
"""

SHORT = {
    "pass": "+",
    "ack": "a",
    "send": "s",
    "replay": "r",
    "linger-ack": "D",
    "linger-2xx": "M",
    "linger-request": "J",
    "linger-t4": "K",
    "back-off": "b",
    "slow-down": "2",
    "timed-out": "4",
    "transport-failed": "5",
}

TABLES: dict[str, tuple[Table, str]] = {
    "invite-client": (INVITE_CLIENT, INVITE_CLIENT_CELLS),
    "non-invite-client": (NON_INVITE_CLIENT, NON_INVITE_CLIENT_CELLS),
    "invite-server": (INVITE_SERVER, INVITE_SERVER_CELLS),
    "non-invite-server": (NON_INVITE_SERVER, NON_INVITE_SERVER_CELLS),
}


def cells_of(text: str) -> dict[tuple[str, str], tuple[str, str]]:
    words = text.split()
    rows = [words[start : start + 4] for start in range(0, len(words), 4)]
    cells = {(state, what): (following, actions) for state, what, following, actions in rows}
    assert len(cells) == len(rows)
    return cells


def shorten(actions: tuple[str, ...]) -> str:
    """Write actions in the short form; stopping timers counts once."""
    text = ""
    for action in actions:
        if action.startswith("stop-"):
            text += "" if text.endswith("x") else "x"
        elif action.startswith("start-"):
            text += "" if text.endswith("T") else "T"
        else:
            text += SHORT[action]
    return text or "."


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("what", Input)
@pytest.mark.parametrize("state", State)
def test_cell(name: str, state: State, what: Input) -> None:
    """A cell does what the figure says, and what the figure does not show is refused."""
    table, text = TABLES[name]
    expected = cells_of(text).get((state.value, what.value))
    if expected is None:
        with pytest.raises(LocalProtocolError):
            look_up(table, state, what)
    else:
        following, actions = look_up(table, state, what)
        assert (following.value, shorten(actions)) == expected


@pytest.mark.parametrize("name", TABLES)
def test_every_state_but_the_last_can_end(name: str) -> None:
    """From each state of a table some inputs lead to terminated, so that no transaction lives for ever."""
    table, _ = TABLES[name]
    states = {state for state, _ in table}
    ending = {State.TERMINATED}
    for _ in states:
        ending |= {state for (state, _), (following, _) in table.items() if following in ending}
    assert states <= ending
