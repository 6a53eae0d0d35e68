"""The checks of figures, choices, errors and characters fail when their guarantee is cut out."""

from __future__ import annotations

import pytest

from modelport import LLM
from modelport.engine import choices as engine_choices
from modelport.engine import driving_async, driving_sync, reading, streams, tokens
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.engine.output import Output
from modelport.models import base
from modelport.models.many import Many
from modelport.runs import config
from modelport.testing.guarantees import choices as choices_checks
from modelport.values.generations import GenerationChunk, LLMResult
from modelport.values.usage import Usage

cuts = pytest.mark.cuts


class Counting(LLM):
    """Counts its own tokens."""

    def _count_tokens(self, text):
        return len(text.split())

    def _stream(self, prompt):
        yield prompt


class HalfCharacters(LLM):
    """Answers with what it is told to."""

    characters: str = "🌍"
    """What is answered."""

    def _call(self, prompt):
        return self.characters


# --- usage ----------------------------------------------------------------------------------------


@cuts("usage:*:always-there", "usage:*:end-event")
@cuts("usage:*:always-there", "usage:*:end-event", "usage:*:on-the-message", hooks="_call", chat=True)
def test_usage_is_zero(patch, caught):
    patch.everywhere(tokens.usage_of, lambda *given: Usage())
    caught()


@cuts("usage:*:estimated")
@cuts("usage:*:counted", make=Counting)
def test_chunks_are_counted(patch, caught):
    patch.everywhere(tokens.usage_of, lambda *given: Usage(1, 5, 6))
    caught()


@cuts("usage:*:authors-figures")
def test_the_authors_figures_are_not_read(patch, caught):
    usage_of = tokens.usage_of
    patch.everywhere(usage_of, lambda given, *rest: usage_of(None, *rest))
    caught()


@cuts("usage:*:zero-is-not-given")
def test_zero_is_taken_as_given(patch, caught):
    usage_of = tokens.usage_of
    patch.everywhere(usage_of, lambda given, *rest: given or usage_of(None, *rest))
    caught()


@cuts("usage:*:max-tokens*", "usage:*:length")
@cuts("usage:*:max-tokens*", "usage:*:length", hooks="_abatch")
@cuts("usage:*:max-tokens*", "usage:*:length", hooks="_acall", chat=True)
@cuts("usage:*:max-tokens*", "usage:*:length", make=Counting)
def test_there_is_no_budget(patch, caught):
    patch.method(Call, "_budget", lambda self, hook: None)
    caught()


# --- choices --------------------------------------------------------------------------------------


@cuts("choices:*:as-many")
def test_n_is_ignored(patch, caught):
    one, aone = Many.generate, Many.agenerate
    patch.method(Many, "generate", lambda self, prompts, n: one(self, prompts))
    patch.method(Many, "agenerate", lambda self, prompts, n: aone(self, prompts))
    caught()


@cuts("choices:*:own-runs")
def test_one_answer_is_given_n_times(patch, caught):
    def copied(self, prompts, n, config, generate=Many.generate):
        result = generate(self, prompts, config=config)
        return LLMResult([many * n for many in result.generations])

    async def acopied(self, prompts, n, config):
        return copied(self, prompts, n, config)

    patch.method(Many, "generate", copied)
    patch.method(Many, "agenerate", acopied)
    caught()


@cuts("choices:stream:by-index")
def test_choices_are_streamed_one_after_the_other(patch, caught):
    async def in_turn(call, n):
        for index in range(n):
            async for chunk in streams.astream(call):
                yield index, chunk

    patch.monkeypatch.setattr(choices_checks, "astream_choices", in_turn)
    assert engine_choices.astream_choices is not in_turn
    caught()


@cuts("choices:*:refused")
def test_any_n_is_taken(patch, caught):
    from modelport.models import many

    patch.everywhere(many._checked, lambda prompts, n: prompts)
    caught()


# --- errors, unicode ------------------------------------------------------------------------------


def _wrapping(drive):
    def wrapped(attempt):
        try:
            return drive(attempt)
        except Exception as error:
            raise RuntimeError("the model failed") from error

    return wrapped


def _awrapping(drive):
    async def wrapped(attempt):
        try:
            return await drive(attempt)
        except Exception as error:
            raise RuntimeError("the model failed") from error

    return wrapped


@cuts("errors:*:unchanged", hooks="_call", chat=True)
@cuts("errors:*:unchanged", hooks="_batch", chat=True)
def test_errors_are_wrapped(patch, caught):
    patch.everywhere(driving_sync.value_of, _wrapping(driving_sync.value_of))
    patch.everywhere(driving_async.avalue_of, _awrapping(driving_async.avalue_of))
    caught()


@cuts("errors:*:after-chunks", hooks="_astream", chat=True)
def test_chunks_before_an_error_are_lost(patch, caught):
    stream, astream = streams.stream, streams.astream

    def all_or_nothing(call):
        yield from list(stream(call))

    async def aall_or_nothing(call):
        for chunk in [one async for one in astream(call)]:
            yield chunk

    patch.everywhere(stream, all_or_nothing)
    patch.everywhere(astream, aall_or_nothing)
    caught()


@cuts("errors:*:wrong-result", hooks="_call")
@cuts("errors:*:wrong-result", hooks="_astream", chat=True)
def test_anything_is_printed_as_an_answer(patch, caught):
    patch.everywhere(reading.read_piece, lambda value, label: GenerationChunk(str(value)))
    caught()


@cuts("errors:*:unknown-keyword", hooks="_call")
@cuts("errors:*:unknown-keyword", hooks="_abatch", chat=True)
def test_keywords_are_not_checked(patch, caught):
    patch.method(Hook, "check_keywords", lambda self, kwargs: None)
    caught()


@cuts("errors:*:unknown-config", hooks="_call")
def test_configs_are_not_checked(patch, caught):
    patch.everywhere(config.check_config, lambda given: None)
    caught()


@cuts("errors:construct:unknown-argument")
def test_an_unknown_argument_is_not_named(patch, caught):
    patch.everywhere(base.construction_error, lambda *facts: TypeError("wrong arguments"))
    caught()


@cuts("unicode:*:bytes", "unicode:*:whole-characters")
@cuts("unicode:*:bytes", "unicode:*:whole-characters", hooks="_astream", chat=True)
@cuts("unicode:*:cut-off", hooks="_call")
def test_each_chunk_is_decoded_alone(patch, caught):
    patch.method(Output, "_decode", lambda self, value: bytes(value).decode("utf-8", "ignore"))
    caught()


@cuts("unicode:*:encodable", make=HalfCharacters)
def test_the_author_gives_half_characters(patch, caught):
    patch.monkeypatch.setattr(HalfCharacters, "_call", lambda self, prompt: "\ud83c")
    caught()
