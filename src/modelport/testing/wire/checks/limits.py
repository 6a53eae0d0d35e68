"""Stop strings and limits of length."""

from __future__ import annotations

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer, Streamed, choices_of, object_of, text_of
from modelport.testing.wire.asking import OMIT, Chat, Generation
from modelport.testing.wire.judging import SPEC, expect_taken, refused_politely
from modelport.testing.wire.registry import generation_check, wire_check
from modelport.testing.wire.server import Server

STOP = SPEC.format("StopConfiguration")
STOP_MEND = "cut the text before the first stop string, on characters, whatever pieces the model gives"
ACROSS = f"{STOP}; huggingface/text-generation-inference#1254; lm-sys/FastChat PR 3883"
LIMIT = SPEC.format("CreateChatCompletionRequest.max_tokens")
LIMIT_MEND = "end the answer at max_tokens, with finish_reason `length`"
NEVER = "\u2603never\u2603"


@generation_check("wire-stop:{endpoint}:string", source=STOP)
async def stop_string(asked: Generation) -> None:
    """A whole answer of {path} ends before the stop string, which is not in it."""
    text, stop = await _text_and_stop(asked)
    await _expect_cut(asked, await asked.ask(stop=stop), text, [stop])


@generation_check("wire-stop:{endpoint}:list", source=STOP)
async def stop_list(asked: Generation) -> None:
    """A whole answer of {path} ends before the first of several stop strings."""
    text, stop = await _text_and_stop(asked)
    stops = [NEVER, text[-2:], stop]
    await _expect_cut(asked, await asked.ask(stop=stops), text, stops)


@generation_check("wire-stop:{endpoint}:reason", source=STOP)
async def stop_reason(asked: Generation) -> None:
    """A whole answer of {path} that a stop string ended has finish_reason `stop`."""
    text, stop = await _text_and_stop(asked)
    answer = await asked.ask(stop=stop)
    if text_of(answer.json) in (None, text):
        raise NotApplicable(f"the stop string ends nothing: {answer.shown}")
    [choice] = choices_of(answer.json)[:1]
    reason = choice.get("finish_reason")
    expect(reason == "stop", f"finish_reason is {reason!r}", "say `stop` when a stop string ended the answer")


@generation_check("wire-stop:{endpoint}:stream", source=STOP)
async def stop_stream(asked: Generation) -> None:
    """A stream of {path} ends before the stop string, which is not in it."""
    text, stop = await _text_and_stop(asked)
    await asked.streamed()
    await _expect_cut(asked, await asked.stream(stop=stop), text, [stop])


@generation_check("wire-stop:{endpoint}:across-chunks", source=ACROSS)
async def across_chunks(asked: Generation) -> None:
    """A stop string that two chunks of {path} share ends the stream before its first part."""
    text = await asked.settled_text()
    pieces = (await asked.streamed()).pieces()
    if "".join(pieces) != text or len(pieces) < 4:
        raise NotApplicable("the stream has no pieces to cut between")
    middle = len(pieces) // 2
    stop = pieces[middle - 1][-2:] + pieces[middle][:2]
    if text.find(stop) < 1:
        raise NotApplicable("the stream has no pieces to cut between")
    await _expect_cut(asked, await asked.stream(stop=stop), text, [stop])


@generation_check("wire-stop:{endpoint}:held-back", source=STOP)
async def held_back(asked: Generation) -> None:
    """A stream of {path} says all of its text when it ends with the beginning of a stop string."""
    text = await asked.settled_text()
    await asked.streamed()
    answer = await asked.stream(stop=[text[-3:] + NEVER, NEVER])
    if answer.status == 200 and answer.joined().strip() != text.strip():
        await asked.confirm_settled()
    expect_taken(answer, "a stop string that does not occur", "take a list of up to 4 stop strings")
    same = answer.joined().strip() == text.strip()
    expect(same, f"the text is {answer.joined()!r:.120}, not {text!r:.120}", "say at the end what was held back")


@generation_check("wire-limit:{endpoint}:max-tokens", source=f"{LIMIT}; ollama/ollama#7125")
async def max_tokens(asked: Generation) -> None:
    """max_tokens cuts a whole answer of {path}."""
    text = await _long_text(asked)
    _expect_shorter(await asked.ask(max_tokens=2), text)


@generation_check("wire-limit:{endpoint}:reason", source=LIMIT)
async def limit_reason(asked: Generation) -> None:
    """A whole answer of {path} that max_tokens cut has finish_reason `length`."""
    text = await _long_text(asked)
    answer = await asked.ask(max_tokens=2)
    if len(text_of(answer.json) or text) >= len(text):
        raise NotApplicable(f"max_tokens cuts nothing: {answer.shown}")
    reasons = [one.get("finish_reason") for one in choices_of(answer.json)]
    expect(reasons[:1] == ["length"], f"finish_reason is {reasons!r}", "say `length` when max_tokens ended the answer")


@generation_check("wire-limit:{endpoint}:stream", source=LIMIT)
async def limit_stream(asked: Generation) -> None:
    """max_tokens cuts a stream of {path}, whose last chunk says `length`."""
    text = await _long_text(asked)
    await asked.streamed()
    answer = await asked.stream(max_tokens=2)
    _expect_shorter(answer, text)
    expect(answer.reasons() == ["length"], f"finish_reason is {answer.reasons()!r}", LIMIT_MEND)


@wire_check(
    "wire-limit:chat:max-completion-tokens",
    source="openai/openai-openapi: max_completion_tokens; huggingface/text-generation-inference#2844",
)
async def max_completion_tokens(server: Server) -> None:
    """max_completion_tokens cuts a chat as max_tokens does."""
    text = await _long_text(Chat(server))
    _expect_shorter(await Chat(server).ask(max_tokens=OMIT, max_completion_tokens=2), text)


@generation_check("wire-limit:{endpoint}:counted", source=SPEC.format("CompletionUsage"))
async def limit_counted(asked: Generation) -> None:
    """The usage of an answer of {path} that max_tokens cut counts no more tokens than were allowed."""
    text = await _long_text(asked)
    answer = await asked.ask(max_tokens=2)
    if len(text_of(answer.json) or text) >= len(text):
        raise NotApplicable(f"max_tokens cuts nothing: {answer.shown}")
    count = (object_of(answer.object.get("usage")) or {}).get("completion_tokens")
    if not isinstance(count, int):
        raise NotApplicable("tokens are not counted")
    expect(count <= 2, f"max_tokens is 2, completion_tokens is {count}", "count the tokens that are in the answer")


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


async def _long_text(asked: Generation) -> str:
    await asked.whole()
    text = await asked.text()
    if len(text.split()) < 6:
        raise NotApplicable(f"the usual question's answer is too short to cut: {text!r:.80}")
    return text


async def _text_and_stop(asked: Generation) -> tuple[str, str]:
    """The usual answer, and a string in its middle that it does not begin with."""
    text = await asked.settled_text(words=3)
    middle = len(text) // 2
    for size in (4, 6, 8):
        stop = text[middle : middle + size]
        if stop.strip() == stop and text.find(stop) > 0:
            return text, stop
    stop = text.split()[len(text.split()) // 2]
    if text.find(stop) < 1:
        raise NotApplicable("the answer has no string to stop at")
    return text, stop


async def _expect_cut(asked: Generation, answer: Answer, text: str, stops: list[str]) -> None:
    expect_taken(answer, f"stop is {stops!r}", "take a stop string, or a list of up to 4")
    said = answer.joined() if isinstance(answer, Streamed) else text_of(answer.json) or ""
    found = [stop for stop in stops if stop in said]
    expect(not found, f"stop is {stops!r}, the text is {said!r:.120}", STOP_MEND)
    expected = text[: min(text.find(stop) for stop in stops if stop in text)]
    # White space at the end is some servers' to trim.
    if said.strip() != expected.strip():
        await asked.confirm_settled()
    same = said.strip() == expected.strip()
    expect(same, f"stop is {stops!r}, the text is {said!r:.120}, not {expected!r:.120}", STOP_MEND)


def _expect_shorter(answer: Answer, text: str) -> None:
    expect_taken(answer, "a limit of 2 tokens", LIMIT_MEND)
    said = answer.joined() if isinstance(answer, Streamed) else text_of(answer.json) or ""
    shorter = len(said) < len(text)
    expect(shorter, f"a limit of 2 tokens gives all {len(text.split())} words of {said!r:.100}", LIMIT_MEND)
