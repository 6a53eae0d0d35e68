"""Several choices of one streaming hook call: the hook supports `n`, and its pieces say which choice they belong to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from modelport.engine.answers import open_attempt
from modelport.engine.call import Call
from modelport.engine.choices import astream_choices
from modelport.engine.driving_async import apieces_of
from modelport.engine.lifecycle import aload
from modelport.engine.output import Output, last_chunk
from modelport.engine.telling import Telling
from modelport.values.errors import HookError
from modelport.values.generations import GenerationChunk

_GIVES_INDEXES = frozenset({"n", "choices"})


def astream_all_choices(call: Call, n: int) -> AsyncGenerator[tuple[int, GenerationChunk], None]:
    """Stream n answers, as `(choice index, chunk)`: by one hook call that can give them all, else by n at once.

    Raises:
        Exception: The first failure of any choice; the others are cancelled.
    """
    hook = call.hooks.astream
    if n == 1 or hook is None or call.model.cache or not hook.supports.issuperset(_GIVES_INDEXES):
        return astream_choices(call, n)
    return _astream_indexed(call.with_n(n), n)


async def _astream_indexed(call: Call, n: int) -> AsyncGenerator[tuple[int, GenerationChunk], None]:
    """Stream the choices of one hook call, whose pieces are `(choice index, piece)`; each is cut and counted alone."""
    await aload(call.model)
    attempt = open_attempt(call, call.hooks.astream, is_async=True)
    outputs: list[Output] = [attempt.output, *(call.new_output(attempt.hook) for _ in range(n - 1))]
    async with Telling(attempt) as telling:
        async with aclosing(apieces_of(attempt)) as pieces:
            async for choice, piece in pieces:
                place: int = choice
                if not 0 <= place < n or outputs[place].cut:
                    continue
                chunk = outputs[place].push(piece)
                attempt.output.started = True
                if chunk is not None:
                    await telling.atell(chunk)
                    yield place, chunk
                if all(output.cut for output in outputs):
                    break
        answers = telling.answers = []
        for index, output in enumerate(outputs):
            if index and not output.started:
                raise HookError(f"{attempt.hook.label} streamed no choice {index} of {n}, though it supports n")
            rest = output.finish()
            if rest is not None:
                await telling.atell(rest)
                yield index, rest
            attempt.output = output
            answers.append(attempt.answer())
            yield index, last_chunk(answers[-1])
