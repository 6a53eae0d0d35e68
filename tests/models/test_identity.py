"""What a model is and shows: printing, secrets, equality, copies."""

from __future__ import annotations

import copy
import logging
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from modelport import LLM, BaseCallbackHandler, RunnableLambda


class Plain(LLM):
    """Is at the top of the module, so that it can be pickled."""

    n: int = 5
    api_key: SecretStr | None = None

    def _call(self, prompt: str) -> str:
        return prompt[: self.n]


class Loading(LLM):
    """Keeps what is no field of its own in a private attribute."""

    max_concurrency: int | None = 1
    _loads: list[str] = []

    def _load(self) -> None:
        self._loads.append("loaded")

    def _call(self, prompt: str) -> str:
        return prompt


class Account(BaseModel):
    user: str
    password: SecretStr


class Leaky(LLM):
    """Shows its key wherever it can."""

    api_key: SecretStr
    header: str = ""
    token: SecretBytes | None = None
    account: Account | None = None
    keys: list[Any] = []
    table: dict[str, Any] = {}

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"url": f"https://x?key={self.api_key.get_secret_value()}", "keys": [self.header]}

    def _call(self, prompt: str, **kwargs: Any) -> str:
        return prompt


class TestPrinting:
    def test_without_identifying_params_the_declared_fields_are_shown(self) -> None:
        model = Plain(n=3, name="mine", tags=["t"])
        assert str(model) == "Plain\nParams: {'n': 3, 'api_key': None}"
        assert repr(model) == "Plain(n=3, api_key=None)"

    def test_identifying_params_may_be_a_method_too(self) -> None:
        class Method(LLM):
            def _identifying_params(self) -> dict[str, Any]:
                return {"model_name": "m"}

            def _llm_type(self) -> str:
                return "mine"

            def _call(self, prompt: str) -> str:
                return prompt

        model = Method()
        assert str(model) == "Method\nParams: {'model_name': 'm'}"
        assert (model.get_model_name(), model.llm_type()) == ("m", "mine")

    def test_names_have_defaults(self) -> None:
        model = Plain()
        assert (model.get_name(), model.llm_type(), model.get_model_name()) == ("Plain",) * 3
        assert Plain(name="mine").get_model_name() == "mine"


class TestSecrets:
    def model(self, **more: Any) -> Leaky:
        return Leaky(api_key=SecretStr("sk-secret-1"), header="Bearer sk-secret-1", **more)

    def test_printing_masks_them(self) -> None:
        model = self.model()
        assert str(model) == "Leaky\nParams: {'url': 'https://x?key=***', 'keys': ['Bearer ***']}"
        assert "sk-secret-1" not in repr(model)
        assert "header='Bearer ***'" in repr(model)

    def test_secrets_anywhere_in_the_fields_are_known(self) -> None:
        model = self.model(
            token=SecretBytes(b"tok-2"),
            account=Account(user="eve", password=SecretStr("pass-3")),
            keys=[SecretStr("key-4"), (SecretStr("key-5"),), "sk-secret-1 again"],
            table={"k": SecretStr("key-6")},
        )
        said = "sk-secret-1 tok-2 pass-3 key-4 key-5 key-6 eve"
        assert model.scrub(said) == "*** *** *** *** *** *** eve"
        assert model.scrub({"a": ["x key-4", 4]}) == {"a": ["x ***", 4]}
        assert model.scrub(("key-4",)) == ("***",)
        assert not any(secret in repr(model) for secret in said.split()[:-1])

    def test_a_secret_that_contains_another_is_masked_whole(self) -> None:
        model = self.model(keys=[SecretStr("sk-secret-1-long"), SecretStr("")])
        assert model.scrub("sk-secret-1-long and sk-secret-1") == "*** and ***"

    def test_without_secrets_nothing_is_changed(self) -> None:
        assert Plain().scrub("text") == "text"

    async def test_events_and_callbacks_mask_them(self) -> None:
        heard: list[Any] = []

        class Hears(BaseCallbackHandler):
            def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
                heard.append((serialized, kwargs))

        chain = RunnableLambda(str.upper) | self.model(callbacks=[Hears()])
        chain.invoke("x")
        events = [event async for event in chain.astream_events("x")]
        assert heard
        assert "***" in repr(heard)
        assert "sk-secret-1" not in repr(heard)
        assert "sk-secret-1" not in repr(events)

    def test_a_keyword_that_holds_a_secret_is_masked_for_handlers(self) -> None:
        heard: list[Any] = []

        class Hears(BaseCallbackHandler):
            def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
                heard.append(kwargs["invocation_params"]["auth"])

        self.model(callbacks=[Hears()]).invoke("x", auth="Bearer sk-secret-1")
        assert heard == ["Bearer ***"]

    def test_logs_hold_none(self, caplog: pytest.LogCaptureFixture) -> None:
        class Broken(BaseCallbackHandler):
            def on_llm_start(self, serialized: dict[str, Any], prompts: list[str], **kwargs: Any) -> None:
                raise RuntimeError(prompts[0])

        with caplog.at_level(logging.DEBUG):
            self.model(callbacks=[Broken()]).invoke("sk-secret-1")
        assert "Broken.on_llm_start" in caplog.text
        assert "sk-secret-1" not in caplog.text


class TestIdentity:
    def test_models_are_equal_to_themselves_alone(self) -> None:
        one: Any = Plain(n=1)
        two: Any = Plain(n=1)
        assert one == one  # noqa: PLR0124 - that is the point
        assert one != two
        assert len({one, two, one}) == 2

    @pytest.mark.parametrize("copied", [lambda model: pickle.loads(pickle.dumps(model)), copy.deepcopy, copy.copy])
    def test_copies_answer_and_carry_the_key_but_not_the_frameworks_state(self, copied: Any) -> None:
        model = Plain(n=2, api_key=SecretStr("sk-1"), max_concurrency=1, tags=["t"])
        model.invoke("abc")  # makes the state
        twin = copied(model)
        assert twin is not model
        assert twin != model
        assert (twin.n, twin.tags, twin.max_concurrency) == (2, ["t"], 1)
        assert twin.api_key.get_secret_value() == "sk-1"
        assert twin.invoke("abc") == "ab"
        assert copied(twin).invoke("abc") == "ab"

    def test_a_copy_loads_for_itself(self) -> None:
        model = Loading()
        model.invoke("x")
        twin = copy.deepcopy(model)
        twin.invoke("x")
        twin.invoke("x")
        assert (model._loads, twin._loads) == (["loaded"], ["loaded", "loaded"])

    def test_a_copy_has_slots_of_its_own(self) -> None:
        twins: list[Any] = []

        class Nested(LLM):
            max_concurrency: int | None = 1

            def _call(self, prompt: str) -> str:
                return twins.pop().invoke(prompt) if twins else prompt

        model = Nested()
        twins.append(copy.copy(model))
        assert model.invoke("x") == "x"

    def test_model_copy_keeps_working(self) -> None:
        model = Plain(n=2)
        assert model.invoke("abc") == "ab"
        assert model.model_copy(update={"n": 1}).invoke("abc") == "a"
