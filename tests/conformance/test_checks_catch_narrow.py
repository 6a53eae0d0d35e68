"""Wrong models that are wrong in one narrow case, so that one check alone notices."""

from __future__ import annotations

from contextlib import closing
from typing import Any, ClassVar

import msgspec
import pytest

from modelport import LLM
from modelport.engine import concurrency, stop, tokens
from modelport.engine.attempt import Attempt
from modelport.engine.call import Call
from modelport.engine.hooks import Hook
from modelport.engine.output import Output
from modelport.engine.stop import StopFilter
from modelport.engine.tokens import TokenBudget
from modelport.models.base import AuthoredModel
from modelport.models.chat import ChatModel
from modelport.models.many import Many
from modelport.runnables import base as runnables_base
from modelport.runs import scope
from modelport.values.generations import LLMResult
from modelport.values.usage import Usage

cuts = pytest.mark.cuts


class Counted(LLM):
    """Counts its own tokens."""

    def _count_tokens(self, text):
        return len(text.split())

    def _stream(self, prompt):
        yield prompt


class Agreed(LLM):
    """Gives one answer by every hook."""

    word: ClassVar[str] = "same"

    def _call(self, prompt):
        return "the same answer"

    def _stream(self, prompt):
        yield f"the {self.word} answer"


# --- stop -----------------------------------------------------------------------------------------


@cuts("stop:*:excluded")
def test_stop_strings_are_always_included(patch, caught):
    cut = StopFilter._cut

    def include(self, text, match):
        self._include = True
        return cut(self, text, match)

    patch.method(StopFilter, "_cut", include)
    caught()


@cuts("stop:*:cut")
def test_short_stop_strings_are_not_looked_for(patch, caught):
    push = StopFilter.push
    short = lambda self: any(len(one) == 2 and one.isalpha() and one.isascii() for one in self._stop)  # noqa: E731
    patch.method(StopFilter, "push", lambda self, text: text if short(self) else push(self, text))
    caught()


@cuts("stop:*:across-chunks")
def test_beside_blanks_no_stop_string_is_looked_for(patch, caught):
    push = StopFilter.push
    blank = lambda self: any(one.isspace() for one in self._stop)  # noqa: E731
    patch.method(StopFilter, "push", lambda self, text: text if blank(self) else push(self, text))
    caught()


@cuts("stop:*:false-start")
def test_what_is_held_back_at_the_end_is_lost(patch, caught):
    patch.method(StopFilter, "finish", lambda self: "")
    caught()


@cuts("stop:invoke:literal", hooks="_call")
def test_stop_strings_with_flags_are_patterns(patch, caught):
    find = stop.find_stop
    plain = lambda one: one.removeprefix("(?i)").upper()  # noqa: E731
    patch.everywhere(find, lambda text, strings: find(text, [plain(one) if "(?i)" in one else one for one in strings]))
    patch.method(StopFilter, "push", _push_whole)
    caught()


def _push_whole(self: Any, text: str) -> str:
    match = stop.find_stop(text, self._stop)
    return self._cut(text, match) if match is not None else text


@cuts("stop:*:one-string", hooks="_call")
def test_one_string_is_its_letters(patch, caught):
    normalise = stop.normalise_stop
    patch.everywhere(normalise, lambda given: list(given) if isinstance(given, str) else normalise(given))
    caught()


@cuts("stop:*:empty-refused", hooks="_call")
def test_a_list_of_nothing_is_none(patch, caught):
    normalise = stop.normalise_stop
    patch.everywhere(normalise, lambda given: None if given == [""] else normalise(given))
    caught()


def _run_on_after(patch, why):
    push = Output.push

    def run_on(self, value):
        if self in patch.kept:
            return None
        chunk = push(self, value)
        if self.cut and why(self):
            patch.kept.append(self)
            self.cut = False
        return chunk

    patch.method(Output, "push", run_on)


@cuts("stop:*:model-closed")
def test_the_model_runs_on_after_its_stop_string(patch, caught):
    _run_on_after(patch, lambda output: output._stop is not None)
    caught()


@cuts("usage:*:model-closed")
def test_the_model_runs_on_after_its_last_token(patch, caught):
    _run_on_after(patch, lambda output: output._budget is not None)
    caught()


# --- usage ----------------------------------------------------------------------------------------


@cuts("usage:*:length")
def test_no_answer_is_too_long(patch, caught):
    patch.method(Output, "_reason", lambda self, finish, calls: finish or "stop")
    caught()


def _budget_of(patch, change):
    budget = Call._budget

    def changed(self, hook):
        known = budget(self, hook)
        return known and change(known)

    patch.method(Call, "_budget", changed)


@cuts("usage:*:max-tokens")
def test_three_tokens_are_two(patch, caught):
    _budget_of(patch, lambda known: TokenBudget(2, known._count) if known._max_tokens == 3 else known)
    caught()


@cuts("usage:*:max-tokens-own")
def test_one_token_is_no_limit(patch, caught):
    _budget_of(patch, lambda known: None if known._max_tokens == 1 else known)
    caught()


@cuts("usage:*:estimated")
def test_estimates_are_not_marked(patch, caught):
    usage_of = tokens.usage_of
    patch.everywhere(usage_of, lambda *given: msgspec.structs.replace(usage_of(*given), estimated=False))
    caught()


@cuts("usage:*:counted", make=Counted)
def test_counts_are_marked_as_estimates(patch, caught):
    usage_of = tokens.usage_of

    def mark(given, *rest):
        usage = usage_of(given, *rest)
        return usage if given is not None else msgspec.structs.replace(usage, estimated=True)

    patch.everywhere(usage_of, mark)
    caught()


@cuts("usage:*:on-the-message", hooks="_call", chat=True)
def test_messages_do_not_say_why_they_end(patch, caught):
    message = Output._message

    def without_reason(self, text, reason, *rest):
        made = message(self, text, reason, *rest)
        return msgspec.structs.replace(made, response_metadata={})

    patch.method(Output, "_message", without_reason)
    caught()


# --- unicode, input -------------------------------------------------------------------------------


@cuts("unicode:*:cut-off")
def test_half_a_character_at_the_end_is_lost(patch, caught):
    finish = Output.finish

    def forget(self):
        self._decoder = None
        return finish(self)

    patch.method(Output, "finish", forget)
    caught()


@cuts("unicode:*:bytes")
def test_long_bytes_are_taken_for_another_encoding(patch, caught):
    decode = Output._decode
    patch.method(
        Output,
        "_decode",
        lambda self, value: value.decode("latin-1") if len(value) > 20 else decode(self, value),
    )
    caught()


@cuts("input:*:empty", hooks="_call")
def test_an_empty_prompt_is_a_blank(patch, caught):
    bind = Hook.bind
    blank = lambda given: " " if given == "" else given  # noqa: E731
    patch.method(Hook, "bind", lambda self, model, given, *rest: bind(self, model, blank(given), *rest))
    caught()


@cuts("input:*:huge-answer", hooks="_call")
def test_long_texts_are_cut_off(patch, caught):
    def cut(self, *arguments, bind=Hook.bind):
        answer = bind(self, *arguments)
        return answer[:100_000] if isinstance(answer, str) else answer

    patch.method(Hook, "bind", cut)
    caught()


# --- printing, parity -----------------------------------------------------------------------------


@cuts("identity:print:str")
def test_a_model_prints_as_its_fields(patch, caught):
    patch.method(AuthoredModel, "__str__", lambda self: str(self.__dict__))
    caught()


@cuts("identity:print:repr")
def test_all_fields_are_in_the_repr(patch, caught):
    patch.method(AuthoredModel, "__repr_args__", lambda self: list(self.__dict__.items()))
    caught()


@cuts("printing:params:steady")
def test_printing_counts(patch, caught):
    text = AuthoredModel.__str__

    def counted(self):
        patch.kept.append(self)
        return f"{text(self)} {len(patch.kept)}"

    patch.method(AuthoredModel, "__str__", counted)
    caught()


@cuts("parity:invoke:message-forms", hooks="_call", chat=True)
def test_dicts_are_printed(patch, caught):
    argument_of = ChatModel.argument_of

    def printed(self, value):
        is_dicts = isinstance(value, list) and value and isinstance(value[0], dict)
        return argument_of(self, str(value) if is_dicts else value)

    patch.method(ChatModel, "argument_of", printed)
    caught()


@cuts("parity:stream:same-text", make=Agreed)
def test_a_stream_has_other_words(patch, caught):
    patch.monkeypatch.setattr(Agreed, "word", "other")
    caught()


# --- batch, choices, deadline ---------------------------------------------------------------------


@cuts("batch:*:in-order", hooks="_call")
def test_four_results_come_in_another_order(patch, caught):
    map_items, amap_items = concurrency.map_items, concurrency.amap_items
    turned = lambda results: results[::-1] if len(results) == 4 else results  # noqa: E731

    async def aturned(*arguments):
        return turned(await amap_items(*arguments))

    patch.everywhere(map_items, lambda *arguments: turned(map_items(*arguments)))
    patch.everywhere(amap_items, aturned)
    caught()


@cuts("batch:*:isolated", hooks="_call")
def test_a_failed_slot_is_empty(patch, caught):
    fill = Many._fill

    def blank(self, slots, places, outcomes, return_exceptions):
        filled = fill(self, slots, places, outcomes, return_exceptions)
        return ["" if isinstance(one, BaseException) else one for one in filled]

    patch.method(Many, "_fill", blank)
    caught()


@cuts("batch:*:raises-at-the-end", hooks="_call")
def test_failures_in_company_are_not_raised(patch, caught):
    fill = Many._fill

    def hushed(self, slots, places, outcomes, return_exceptions):
        return fill(self, slots, places, outcomes, return_exceptions or len(slots) > 1)

    patch.method(Many, "_fill", hushed)
    caught()


@cuts("choices:*:as-many")
def test_there_is_one_choice_more(patch, caught):
    result = Many._result

    def one_more(self, outcomes):
        made = result(self, outcomes)
        more = [[*choices, choices[0]] if len(choices) > 1 else choices for choices in made.generations]
        return LLMResult(more, made.llm_output, made.run)

    patch.method(Many, "_result", one_more)
    caught()


@cuts("deadline:*:first-token", hooks="_call")
def test_first_tokens_may_take_any_time(patch, caught):
    scope_of = scope.scope_of
    without = lambda config: {key: value for key, value in config.items() if key != "first_token_timeout"}  # noqa: E731
    patch.everywhere(scope_of, lambda config: scope_of(without(config) if isinstance(config, dict) else config))
    caught()


@cuts("deadline:*:shared", hooks="_call")
def test_items_have_deadlines_of_their_own(patch, caught):
    configs_for = runnables_base.configs_for
    patch.everywhere(configs_for, lambda inputs, config: ([config] * len(inputs), configs_for(inputs, config)[1]))
    caught()


@cuts("batch:*:limit-of-model", hooks="_call")
def test_two_are_no_limit(patch, caught):
    slots = Attempt._slots
    patch.method(Attempt, "_slots", lambda self: None if self.call.model.max_concurrency == 2 else slots(self))
    caught()


@cuts("usage:*:always-there")
def test_an_echo_has_no_tokens(patch, caught):
    usage_of = tokens.usage_of

    def nothing(given, prompt, text, count):
        return Usage() if text == prompt() else usage_of(given, prompt, text, count)

    patch.everywhere(usage_of, nothing)
    caught()


@cuts("derive:stream:answers", hooks="_call")
def test_streams_end_with_an_empty_piece(patch, caught):
    stream = LLM.stream

    def with_nothing(self, *arguments, **given):
        with closing(stream(self, *arguments, **given)) as pieces:
            yield from pieces
        yield ""

    patch.method(LLM, "stream", with_nothing)
    caught()
