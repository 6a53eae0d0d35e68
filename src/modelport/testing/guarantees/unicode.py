"""Guarantee 13, unicode: no half characters."""

from __future__ import annotations

from modelport.testing.checks import CheckFailure, check_each_way, expect, expect_equal
from modelport.testing.conditions import has_stream
from modelport.testing.gates import patiently
from modelport.testing.subject import Subject
from modelport.testing.ways import STREAMS, WAYS, text_of

SOURCE = "modelport guarantee 13 (unicode)"
TEXT = "Grüße, 世界 🌍👩‍👩‍👧 — naïve ﬁn"


@check_each_way("unicode:{way}:bytes", source=SOURCE)
async def whole_bytes(subject: Subject, way: str) -> None:
    """`{way}` decodes a hook that gives bytes, also when they are cut inside of characters."""
    for size in (1, 3, len(TEXT.encode())):
        probe, raw = subject.probe(), TEXT.encode()
        probe.script = [raw[start : start + size] for start in range(0, len(raw), size)]
        async with patiently(f"`{way}`"):
            text = await WAYS[way].text(probe.face, subject.prompts[0])
        expect_equal(text, TEXT, f"the answer of bytes in pieces of {size}")


@check_each_way("unicode:{way}:whole-characters", source=SOURCE, ways=STREAMS, applies=[has_stream])
async def whole_characters(subject: Subject, way: str) -> None:
    """No piece of `{way}` has half a character, and a stop string of several bytes is found."""
    probe, raw = subject.probe(), TEXT.encode()
    probe.script = [raw[start : start + 1] for start in range(len(raw))]
    async with patiently(f"`{way}`"):
        pieces = [text_of(one) for one in await WAYS[way].results(probe.face, subject.prompts[0])]
        stopped = await WAYS[way].text(probe.face, subject.prompts[0], stop=["世界"])
    broken = [piece for piece in pieces if "\ufffd" in piece]
    expect(not broken, f"pieces with half characters: {broken}")
    expect_equal(stopped, "Grüße, 世界", "the answer with stop=['世界']")


@check_each_way("unicode:{way}:cut-off", source=SOURCE)
async def cut_off(subject: Subject, way: str) -> None:
    """Bytes that end inside of a character give one replacement character at the end, in `{way}`."""
    probe = subject.probe()
    probe.script = [b"one ", "🌍".encode()[:2]]
    async with patiently(f"`{way}`"):
        text = await WAYS[way].text(probe.face, subject.prompts[0])
    expect_equal(text, "one \ufffd", "the answer")


@check_each_way("unicode:{way}:encodable", source=SOURCE)
async def encodable(subject: Subject, way: str) -> None:
    """What `{way}` gives for a prompt with all sorts of characters can be sent as UTF-8."""
    async with patiently(f"`{way}`"):
        results = await WAYS[way].results(subject.face_of(subject.fresh()), TEXT)
    for piece in map(text_of, results):
        try:
            piece.encode()
        except UnicodeEncodeError as error:
            raise CheckFailure(f"the piece {piece!r:.100} has half a character: {error}") from None
