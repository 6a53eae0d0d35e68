"""Several choices."""

from __future__ import annotations

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, choices_of, object_of
from modelport.testing.wire.asking import Chat, Generation
from modelport.testing.wire.judging import expect_taken, refused_politely
from modelport.testing.wire.registry import generation_check, wire_check
from modelport.testing.wire.server import Server


@generation_check("wire-choices:{endpoint}:whole", source="abetlen/llama-cpp-python#1906; InternLM/lmdeploy#4073")
async def choices_whole(asked: Generation) -> None:
    """`n: 2` of {path} gives two choices with indexes 0 and 1, or is refused with 400; it is never ignored."""
    await asked.whole()
    answer = await asked.ask(n=2)
    _expect_choices_allowed(answer)
    indexes = sorted(str(one.get("index")) for one in choices_of(answer.json))
    expect(indexes == ["0", "1"], f"n is 2, the choices' indexes are {indexes}", "give n choices, or refuse n with 400")


@generation_check("wire-choices:{endpoint}:stream", source="npuichigo/openai_trtllm#48; abetlen/llama-cpp-python#1906")
async def choices_stream(asked: Generation) -> None:
    """`n: 2` of a stream of {path} gives each index its text and one finish_reason, or is refused with 400."""
    await asked.streamed()
    answer = await asked.stream(n=2)
    _expect_choices_allowed(answer)
    mend = "give every chunk its choice's index, and each choice its own finish_reason"
    for index in (0, 1):
        expect(answer.entries(index), f"n is 2, no chunk is of index {index}", mend)
        reasons = answer.reasons(index)
        expect(len(reasons) == 1, f"choice {index} has the finish reasons {reasons!r:.100}", mend)


@wire_check("wire-choices:chat:role-each", source="npuichigo/openai_trtllm#48")
async def role_each(server: Server) -> None:
    """With `n: 2` each choice of a streamed chat begins with the role."""
    await Chat(server).streamed()
    answer = await Chat(server).stream(n=2)
    _expect_choices_allowed(answer)
    if not answer.entries(1):
        raise NotApplicable("there is no second choice")
    firsts = [answer.entries(index)[0].get("delta") for index in (0, 1)]
    with_role = [(object_of(one) or {}).get("role") == "assistant" for one in firsts]
    expect(all(with_role), f"the first deltas are {firsts!r:.160}", "begin each choice with its role")


def _expect_choices_allowed(answer: Answer) -> None:
    if refused_politely(answer):
        raise NotApplicable(f"the server refuses n: {answer.shown}")
    expect_taken(answer, "n is 2", "give n choices, or refuse n with 400")
