"""What an operator sets for a trunk is what its carrier meets: numbers as it writes them, its codecs, its channels."""

import pytest

from maskline.core.inventory import NumberFormat
from tests.interop.stage import Stage
from tests.interop.waiting import wait_for

pytestmark = pytest.mark.sipp


def set_trunk(stage: Stage, **changed: object) -> None:
    """Change the trunk of the stage's carrier, and wait until the service knows."""
    loaded_count = stage.ground.log.count("trunks.loaded")
    stage.ground.change_trunk(stage.carrier, **changed)
    wait_for(lambda: stage.ground.log.count("trunks.loaded") > loaded_count, 5.0, "the trunks are loaded")


@pytest.mark.parametrize("form", list(NumberFormat), ids=str)
def test_numbers_are_written_as_the_carrier_writes_them(stage: Stage, form: NumberFormat) -> None:
    """Dialled numbers and callers, both ways; the prefix stands before what we dial and nowhere else."""
    set_trunk(stage, number_format=form, dial_prefix="88")

    def written(number: str) -> str:
        digits = number.removeprefix("+")
        return {
            NumberFormat.PLUS: number,
            NumberFormat.DIGITS: digits,
            NumberFormat.NATIONAL: "0" + digits.removeprefix("91"),
            NumberFormat.ZEROS: "00" + digits,
        }[form]

    stage.ground.add_session(stage.carrier)
    virtual = stage.carrier.virtual
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up", dialled=written(virtual), caller=written(stage.caller.number)).wait()
    uas.wait()
    (invite,) = uas.received(method="INVITE")
    assert invite.start_line.startswith(f"INVITE sip:88{written(stage.callee.number)}@")
    for name in ("From", "P-Asserted-Identity"):
        assert f"sip:{written(virtual)}@" in invite.header(name)
    assert stage.ground.wait_for_records(virtual) == [("success", "caller-hung-up")]
    assert uac.received(method="INVITE", status=200)


def test_only_the_trunk_s_codecs_are_used(stage: Stage) -> None:
    """The callee is offered no other, though the caller has more; the caller is answered with that one."""
    set_trunk(stage, codecs=("PCMA",))
    stage.ground.add_session(stage.carrier)
    uas = stage.uas("uas_answers")
    uac = stage.uac("uac_hangs_up").wait()
    uas.wait()
    (invite,) = uas.received(method="INVITE")
    (answer,) = uac.received(method="INVITE", status=200)
    for message in (invite, answer):
        (media,) = (line for line in message.sdp if line.startswith("m=audio "))
        assert media.split()[3:] in (["8"], ["8", "101"])
    stage.check_masked(uac, uas)


def test_a_caller_without_a_codec_of_the_trunk_is_refused(stage: Stage) -> None:
    """Nobody's phone rings: there is nothing both could speak."""
    set_trunk(stage, codecs=("G722",))
    stage.ground.add_session(stage.carrier)
    with stage.listener(stage.carrier.uas) as peer:
        stage.uac("uac_refused", values={"status": "488"}).wait()
        assert peer.received() == []
    assert stage.ground.wait_for_records(stage.carrier.virtual) == [("caller", "caller-not-acceptable")]


def test_a_call_needs_channels_for_both_its_legs(stage: Stage) -> None:
    """A trunk with one channel takes no masked call, and says when to come back; with two it does."""
    set_trunk(stage, max_calls=1)
    stage.ground.add_session(stage.carrier)
    with stage.listener(stage.carrier.uas) as peer:
        refused = stage.uac("uac_refused", values={"status": "503"}).wait()
        assert peer.received() == []
    (answer,) = refused.received(method="INVITE", status=503)
    assert int(answer.header("Retry-After")) > 0
    set_trunk(stage, max_calls=2)
    uas = stage.uas("uas_answers")
    stage.uac("uac_hangs_up").wait()
    uas.wait()
    records = stage.ground.wait_for_records(stage.carrier.virtual, 2)
    assert records == [("carrier", "carrier-congested"), ("success", "caller-hung-up")]
