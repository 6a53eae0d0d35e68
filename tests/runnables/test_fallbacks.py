"""`with_fallbacks`: who is tried after a failure, with what, and what is raised when all fail."""

from __future__ import annotations

import asyncio
import inspect
import pickle
from typing import Any

import pytest

from modelport import (
    LLM,
    ChatModel,
    ModelTimeoutError,
    Runnable,
    RunnableLambda,
)
from modelport.runnables.fallbacks import RunnableWithFallbacks
from modelport.testing.gates import Gate
from modelport.testing.models import EchoLLM
from modelport.values.errors import InputError, KeywordError
from tests.runnables.failing import DownError, OtherError, failing, upper
from tests.runnables.ways import WAYS, every_config, every_way, first

# ── who is tried ─────────────────────────────────────────────────────────────────────────────────────────────────────


@every_config
@every_way
async def test_after_a_failure_the_next_is_tried(way: str, config: Any) -> None:
    log: list[str] = []
    chain = failing(DownError(), log).with_fallbacks(
        [failing(OtherError(), log), upper(log), failing(DownError(), log)]
    )
    assert await WAYS[way](chain, "a", config) == "A"
    assert log == ["failing", "failing", "upper"]


@every_config
@every_way
async def test_what_succeeds_is_not_followed(way: str, config: Any) -> None:
    log: list[str] = []
    assert await WAYS[way](upper(log).with_fallbacks([failing(DownError(), log)]), "a", config) == "A"
    assert log == ["upper"]


@every_config
@every_way
async def test_when_all_fail_the_first_failure_is_raised_and_notes_the_others(way: str, config: Any) -> None:
    one = DownError("one")
    one.add_note("its own")
    chain = failing(one).with_fallbacks(
        [
            failing(OtherError("two"), name="second"),
            failing(KeyError("x" * 999), name="third"),
        ]
    )
    for _ in range(2):  # the same object is raised again: its notes do not pile up
        with pytest.raises(DownError) as raised:
            await WAYS[way](chain, "a", config)
        assert raised.value is one
        own, two, three = one.__notes__
        assert own == "its own"
        assert two == "modelport: its fallback second failed too, with OtherError: two"
        assert three.startswith("modelport: its fallback third failed too, with KeyError: 'xxx")
        assert len(three) < 300


@every_way
async def test_other_failures_than_the_named_are_raised_at_once(way: str) -> None:
    log: list[str] = []
    chain = failing(DownError("a"), log).with_fallbacks([upper(log)], exceptions_to_handle=(OtherError, KeyError))
    with pytest.raises(DownError):
        await WAYS[way](chain, "a", None)
    chain = failing(DownError("a"), log).with_fallbacks(
        [failing(OtherError("b"), log), upper(log)], exceptions_to_handle=(DownError,)
    )
    with pytest.raises(OtherError):
        await WAYS[way](chain, "a", None)
    assert log == ["failing"] * 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_ends_a_call_from_outside_has_no_fallback(error: type[BaseException]) -> None:
    log: list[str] = []
    chain = failing(error(), log).with_fallbacks([upper(log)], exceptions_to_handle=(BaseException,))
    with pytest.raises(error):
        chain.invoke("a")
    assert log == ["failing"]


def test_a_keyword_that_one_model_does_not_take_may_be_taken_by_the_next() -> None:
    class Takes(LLM):
        def _call(self, prompt: str, heat: int = 0) -> str:
            return prompt * heat

    chain: Any = EchoLLM().with_fallbacks([Takes()])
    assert chain.invoke("a", heat=2) == "aa"
    assert chain.batch(["a"], heat=2) == ["aa"]
    assert "".join(chain.stream("a", heat=2)) == "aa"
    with pytest.raises(KeywordError):
        chain.invoke("a", cold=2)


# ── deadlines ────────────────────────────────────────────────────────────────────────────────────────────────────────


@every_way
async def test_the_calls_own_timeout_has_no_fallback(way: str, gate: Gate) -> None:
    log: list[str] = []
    blocking = RunnableLambda(lambda value: gate.wait())
    with pytest.raises(ModelTimeoutError):
        await WAYS[way](blocking.with_fallbacks([upper(log)]), "a", {"timeout": 0.02})
    chain = failing(DownError(), log).with_fallbacks([blocking, upper(log)])
    with pytest.raises(ModelTimeoutError):
        await WAYS[way](chain, "a", {"timeout": 0.1})
    assert log == ["failing"]


@every_way
async def test_a_timeout_inside_leads_to_the_fallback(way: str, gate: Gate) -> None:
    blocking = RunnableLambda(lambda value: gate.wait()).with_timeout(0.02)
    assert await WAYS[way](blocking.with_fallbacks([upper()]), "a", {"timeout": 60}) == "A"
    assert await WAYS[way](blocking.with_fallbacks([upper()]), "a", None) == "A"


@every_way
async def test_after_the_deadline_no_fallback_is_begun(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from modelport.runnables import backoff

    log: list[str] = []
    chain = failing(DownError("a"), log).with_fallbacks([upper(log)])
    monkeypatch.setattr(backoff, "monotonic", lambda: 1e12)
    with pytest.raises(DownError):
        await WAYS[way](chain, "a", {"timeout": 60})
    assert log == ["failing"]


# ── the failure as input ─────────────────────────────────────────────────────────────────────────────────────────────


@every_config
@every_way
async def test_the_failure_is_put_into_the_fallbacks_input(way: str, config: Any) -> None:
    given: list[dict[str, Any]] = []

    def fails(value: dict[str, Any]) -> str:
        given.append(value)
        raise DownError(len(given))

    def tells(value: dict[str, Any]) -> str:
        given.append(value)
        return f"{value['x']} {value['error']}"

    value = {"x": "a"}
    chain = RunnableLambda(fails).with_fallbacks([RunnableLambda(fails), RunnableLambda(tells)], exception_key="error")
    assert await WAYS[way](chain, value, config) == "a 2"
    assert value == {"x": "a"}
    assert ["error" in one for one in given] == [False, True, True]


@every_config
@every_way
async def test_an_input_that_cannot_carry_the_failure_is_refused(way: str, config: Any) -> None:
    log: list[str] = []
    chain = failing(DownError(), log).with_fallbacks([upper(log)], exception_key="error")
    with pytest.raises(InputError, match="must be a dict"):
        await WAYS[way](chain, "a", config)
    assert log == []


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_in_a_batch_only_the_wrong_input_is_refused(way: str) -> None:
    chain: Any = RunnableLambda(lambda value: value["x"]).with_fallbacks([upper()], exception_key="error")
    answers = getattr(chain, way)([{"x": 1}, "wrong", {"x": 2}], return_exceptions=True)
    answers = await answers if way == "abatch" else answers
    assert answers[0::2] == [1, 2]
    assert isinstance(answers[1], InputError)


# ── batches ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Batching(LLM):
    """Answers many prompts in one call, but not the bad ones."""

    label: str
    bad: str = ""
    seen: Any

    def _batch(self, prompts: list[str]) -> list[Any]:
        self.seen.append((self.label, list(prompts)))
        return [DownError(self.label + prompt) if prompt in self.bad else self.label + prompt for prompt in prompts]


@every_config
@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_failed_items_go_to_the_next_together(way: str, config: Any) -> None:
    seen: list[Any] = []
    chain: Any = Batching(label="1", bad="bcd", seen=seen).with_fallbacks(
        [
            Batching(label="2", bad="ac", seen=seen),
            Batching(label="3", bad="c", seen=seen),
        ]
    )
    answers = getattr(chain, way)(list("abcd"), config, return_exceptions=True)
    answers = await answers if way == "abatch" else answers
    assert [str(one) for one in answers] == ["1a", "2b", "1c", "2d"]
    assert isinstance(answers[2], DownError)
    assert len(answers[2].__notes__) == 2
    assert seen == [("1", list("abcd")), ("2", list("bcd")), ("3", ["c"])]
    with pytest.raises(DownError, match="1c"):
        await first(getattr(chain, way)(list("abcd"), config)) if way == "abatch" else chain.batch(list("abcd"), config)


@pytest.mark.parametrize("way", ["batch", "abatch"])
async def test_items_that_go_together_each_carry_their_own_failure(way: str) -> None:
    class Together(Runnable[Any, Any]):
        @property
        def batches_at_once(self) -> bool:
            return True

        def batch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
            return [DownError(value["x"]) if "error" not in value else repr(value["error"]) for value in inputs]

        async def abatch(self, inputs: Any, config: Any = None, **kwargs: Any) -> list[Any]:
            return self.batch(inputs, config, **kwargs)

    chain: Any = Together().with_fallbacks([Together()], exception_key="error")
    answers = getattr(chain, way)([{"x": 1}, {"x": 2}])
    assert (await answers if way == "abatch" else answers) == ["DownError(1)", "DownError(2)"]


# ── the object ───────────────────────────────────────────────────────────────────────────────────────────────────────


class Chat(ChatModel):
    label: str
    supports = frozenset({"tools"})

    def _call(self, messages: list[Any], **kwargs: Any) -> str:
        if self.label == "down":
            raise DownError(len(kwargs["tools"]))
        return f"{self.label} {len(kwargs['tools'])}"


def test_tools_are_bound_to_all() -> None:
    def look(place: str) -> str:
        """Look at a place."""
        return place

    chain = Chat(label="down").with_fallbacks([Chat(label="up")], exceptions_to_handle=(DownError,))
    bound = chain.bind_tools([look])
    assert isinstance(bound, RunnableWithFallbacks)
    assert bound.exceptions_to_handle == (DownError,)
    assert bound.invoke("hi").content == "up 1"


def test_what_is_no_runnable_is_the_firsts_own() -> None:
    chain = EchoLLM(size=3).with_fallbacks([EchoLLM(size=5)])
    assert chain.size == 3
    assert chain.generate(["abc"]).generations[0][0].text == "abc"
    with pytest.raises(AttributeError, match="nonsense"):
        _ = chain.nonsense


@pytest.mark.parametrize("fallbacks", [[], (), None, "ab", [3], EchoLLM(), [upper(), None]])
def test_fallbacks_that_are_none_are_refused(fallbacks: Any) -> None:
    with pytest.raises(InputError):
        upper().with_fallbacks(fallbacks)


def test_types_that_are_no_exceptions_are_refused() -> None:
    wrong: Any = ValueError
    with pytest.raises(InputError, match=r"write \(ValueError,\)"):
        upper().with_fallbacks([upper()], exceptions_to_handle=wrong)


def test_it_prints_is_named_and_can_be_pickled() -> None:
    chain = EchoLLM(size=2).with_fallbacks([EchoLLM(size=3), upper()], exception_key="e")
    assert repr(chain) == (
        "RunnableWithFallbacks(runnable=EchoLLM(size=2), fallbacks=[EchoLLM(size=3), RunnableLambda(shouts)])"
    )
    assert chain.get_name() == "RunnableWithFallbacks"
    assert chain.scopes_its_code
    copy = pickle.loads(pickle.dumps(EchoLLM(size=2).with_fallbacks([EchoLLM(size=3)], exception_key="e")))
    assert copy.exception_key == "e"
    assert [one.size for one in copy.runnables] == [2, 3]


def test_a_call_that_succeeds_costs_one_frame_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def depth(_: str) -> int:
        return len(inspect.stack(0))

    step = RunnableLambda(depth)
    chain = step.with_fallbacks([step])
    monkeypatch.setattr(RunnableWithFallbacks, "attempts", None)
    assert chain.invoke("a") == step.invoke("a") + 1
