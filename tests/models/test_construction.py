"""Making a class and making a model: errors that help, and that carry no values."""

from __future__ import annotations

import importlib.util
import logging
import sys
import traceback
from pathlib import Path
from typing import Any, ClassVar

import pydantic
import pytest
from pydantic import Field, PrivateAttr, SecretStr, field_validator

from modelport import LLM, BaseCallbackHandler, ChatModel, CustomLLM, EmbeddingModel, ImageModel, LRUCache
from modelport.models.handler_models import HandlerModels
from modelport.values.errors import InputError


class Model(LLM):
    temperature: float = 1.0
    endpoint: str
    api_key: SecretStr | None = None

    def _call(self, prompt: str) -> str:
        return prompt

    @field_validator("endpoint")
    @classmethod
    def _is_https(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("must start with https://")
        return value


def make(cls: Any, **arguments: Any) -> Any:
    """Make a model past the type checker, as a script does."""
    return cls(**arguments)


class TestConstructing:
    @pytest.mark.parametrize(
        ("arguments", "error", "said"),
        [
            (
                {"endpoint": "https://x", "temprature": 0.5},
                TypeError,
                "Model has no field 'temprature'; did you mean 'temperature'?",
            ),
            (
                {"endpoint": "https://x", "zzz": 1},
                TypeError,
                "Model has no field 'zzz'; its fields are temperature, endpoint, api_key",
            ),
            (
                {},
                ValueError,
                "Model cannot be made: field 'endpoint' is missing; give it as endpoint=…",
            ),
            (
                {"temperature": "hot", "endpoint": "https://x"},
                ValueError,
                "field 'temperature': input should be a valid number",
            ),
            ({"endpoint": "http://x"}, ValueError, "field 'endpoint': value error, must start"),
            (
                {"temperature": "hot"},
                ValueError,
                "as a number; field 'endpoint' is missing; give it as endpoint=…",
            ),
            (
                {"endpoint": "https://x", "max_concurrency": 0},
                ValueError,
                "field 'max_concurrency': input should be greater than or equal to 1",
            ),
            (
                {"endpoint": "https://x", "max_batch_size": -1},
                ValueError,
                "field 'max_batch_size': input should be greater than or equal to 1",
            ),
            ({"endpoint": "https://x", "tags": "t"}, ValueError, "field 'tags': input should be a"),
        ],
    )
    def test_a_wrong_argument_names_its_field(
        self, arguments: dict[str, Any], error: type[Exception], said: str
    ) -> None:
        with pytest.raises(error) as raised:
            make(Model, **arguments)
        assert said in str(raised.value)

    @pytest.mark.parametrize("arguments", [{"api_key": 12345678}, {"apikey": "sk-12345678"}])
    def test_an_error_carries_no_value_and_no_pydantic_error(self, arguments: dict[str, Any]) -> None:
        with pytest.raises((TypeError, ValueError)) as raised:
            make(Model, endpoint="https://x", **arguments)
        error = raised.value
        assert not isinstance(error, pydantic.ValidationError)
        assert error.__cause__ is None
        assert error.__context__ is None
        assert "12345678" not in "".join(map(str, error.args))
        assert "pydantic_core" not in "".join(traceback.format_exception_only(error))

    @pytest.mark.parametrize("wrong", ["yes", "no", 1, 0, "12345678", LRUCache])
    def test_a_cache_is_a_switch_or_a_cache(self, wrong: Any) -> None:
        with pytest.raises(
            ValueError, match="field 'cache': value error, must be True, False, None or a cache"
        ) as raised:
            make(Model, endpoint="https://x", cache=wrong)
        assert f"of type {type(wrong).__name__}" in str(raised.value)
        assert "12345678" not in str(raised.value)
        for right in (True, False, None, LRUCache()):
            assert make(Model, endpoint="https://x", cache=right).cache is right

    def test_callbacks_are_checked(self) -> None:
        model = make(Model, endpoint="https://x")
        with pytest.raises(InputError, match="is no callback handler"):
            model.callbacks = [BaseCallbackHandler]
        model = make(Model, endpoint="https://x", callbacks=[BaseCallbackHandler()])
        assert len(model.callbacks) == 1

    def test_an_unknown_attribute_says_how_to_have_one(self) -> None:
        model = make(Model, endpoint="https://x")
        with pytest.raises(TypeError) as raised:
            model.temprature = 1
        assert "did you mean 'temperature'?; declare it, or keep private state" in str(raised.value)
        model.temperature = 0.25
        assert model.temperature == 0.25

    def test_private_attributes_are_the_authors(self) -> None:
        class Private(LLM):
            _client: Any = PrivateAttr(default=None)

            def _call(self, prompt: str) -> str:
                self._client = prompt
                return prompt

        model = Private()
        model.invoke("x")
        assert model._client == "x"

    def test_fields_may_be_named_as_pydantic_would_protect(self) -> None:
        class Named(LLM):
            model_name: str
            model_path: str = ""
            n: int = 1

            def _call(self, prompt: str) -> str:
                return prompt[: self.n]

        model = Named(model_name="m", n=2)
        assert model.invoke("abc") == "ab"
        assert model.generate(["abc"]).llm_output["model_name"] == "m"  # pyright: ignore[reportOptionalSubscript]

    def test_fields_of_any_type_are_taken(self) -> None:
        class Client: ...

        class Holding(LLM):
            client: Client

            def _call(self, prompt: str) -> str:
                return type(self.client).__name__

        assert Holding(client=Client()).invoke("x") == "Client"


class TestClasses:
    def test_a_class_without_a_hook_lists_them_when_it_is_made(self) -> None:
        class Nothing(LLM):
            n: int = 1

        class NothingChat(ChatModel): ...

        with pytest.raises(TypeError) as raised:
            Nothing()
        assert str(raised.value).startswith(
            "Nothing has no hook, so it cannot answer; define one of _call, _acall, _stream, "
            "_astream, _batch, _abatch, for example `def _call(self, prompt, stop=None"
        )
        with pytest.raises(TypeError, match=r"`def _call\(self, messages, stop=None"):
            NothingChat()
        with pytest.raises(TypeError, match="LLM has no hook"):
            LLM()

    @pytest.mark.parametrize(
        ("base", "name", "function", "said"),
        [
            (
                LLM,
                "_call",
                lambda self, text: text,
                "Odd._call(self, text) is named like a hook, but its first parameter after self is",
            ),
            (
                LLM,
                "_call",
                lambda self, text: text,
                "not 'prompt'; write `def _call(self, prompt, stop=None, run_manager=None, **kwa",
            ),
            (LLM, "_batch", lambda self, prompt: prompt, "is not 'prompts'; write `def _batch("),
            (LLM, "_astream", lambda self: None, "write `async def _astream(self, prompt,"),
            (ChatModel, "_call", lambda self, prompt: prompt, "is not 'messages'"),
            (LLM, "_call", "text", "Odd._call is 'text', not a method; hooks are methods: `def"),
        ],
    )
    def test_a_method_that_is_no_hook_but_named_like_one_is_refused(
        self, base: type, name: str, function: Any, said: str
    ) -> None:
        with pytest.raises(TypeError) as raised:
            type("Odd", (base,), {name: function, "__module__": __name__})
        assert said in str(raised.value)

    def test_a_hook_may_take_anything(self) -> None:
        class Anything(LLM):
            def _call(self, *args: Any, **kwargs: Any) -> str:
                return f"{args} {sorted(kwargs)}"

        assert Anything().invoke("x", heat=1) == "('x',) ['heat']"

    def test_langchains_generate_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"Theirs\._generate is LangChain's hook for BaseLLM"):

            class Theirs(LLM):
                def _generate(self, prompts: list[str]) -> Any: ...

    def test_a_chat_models_generate_is_its_own_business(self) -> None:
        class Mine(ChatModel):
            def _generate(self, messages: Any) -> str:
                return "mine"

            def _call(self, messages: Any) -> str:
                return self._generate(messages)

        assert Mine().invoke("x").content == "mine"

    @pytest.mark.parametrize("name", ["invoke", "stream", "batch", "bind", "generate", "load"])
    def test_a_field_may_not_hide_a_method(self, name: str) -> None:
        body = {"__annotations__": {name: bool}, name: False, "__module__": __name__}
        with pytest.raises(TypeError) as raised:
            type("Hiding", (LLM,), body)
        assert (
            f"the field {name!r} of Hiding hides the method LLM.{name}; give it another name, "
            f"for example '{name}_' or 'use_{name}'"
        ) in str(raised.value)

    def test_a_framework_field_may_be_declared_again_to_change_its_default(self) -> None:
        class Own(LLM):
            include_stop: bool = False
            name: str | None = "own"
            max_concurrency: int | None = 2
            chat_template: str | None = "last"
            size: int = 3

            def _call(self, prompt: str) -> str:
                return prompt

        model = Own()
        assert (model.include_stop, model.get_name(), model.max_concurrency) == (False, "own", 2)
        assert model.invoke("abc", stop=["b"]) == "a"
        assert model.invoke([("system", "s"), ("human", "h")]) == "h"
        assert str(model) == "Own\nParams: {'size': 3}"
        assert repr(model) == "Own(size=3)"

    def test_hooks_are_inherited_and_overridden(self) -> None:
        class Parent(LLM):
            suffix: str = "!"

            def _call(self, prompt: str) -> str:
                return prompt + self.suffix

        class Child(Parent):
            more: int = Field(default=2)

        class Louder(Child):
            single_loop: ClassVar[bool] = False

            def _call(self, prompt: str) -> str:
                return super()._call(prompt) * self.more

        assert Child().invoke("a") == "a!"
        assert Louder(suffix="?").invoke("a") == "a?a?"
        with pytest.raises(TypeError, match="its fields are suffix, more"):
            make(Louder, zzzzzz=1)


class TestBatchSizesWithoutEffect:
    @pytest.fixture(autouse=True)
    def _heard(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.WARNING, "modelport.models")

    @pytest.mark.parametrize(
        "ask",
        [
            lambda cls: cls(max_batch_size=8),
            lambda cls: cls().with_params(max_batch_size=8),
            lambda cls: setattr(cls(), "max_batch_size", 8),
        ],
        ids=["made", "with_params", "set"],
    )
    def test_it_is_said_once_for_each_class(self, ask: Any, caplog: pytest.LogCaptureFixture) -> None:
        class One(LLM):
            def _call(self, prompt: str) -> str:
                return prompt

        class Other(ChatModel):
            async def _astream(self, messages: list[Any]) -> Any:
                yield ""

        for cls in (One, One, Other, One):
            ask(cls)
        assert caplog.messages == [
            f"max_batch_size of {name} has no effect: no hook of it answers many inputs; write `_batch` or `_abatch`, "
            "or leave it out"
            for name in ("One", "Other")
        ]

    def test_of_a_model_of_images_only_leaving_it_out_is_advised(self, caplog: pytest.LogCaptureFixture) -> None:
        class Painter(ImageModel):
            def _generate_images(self, prompt: str) -> bytes:
                return prompt.encode()

        Painter(max_batch_size=2)
        assert caplog.messages == [
            "max_batch_size of Painter has no effect: no hook of it answers many inputs; leave it out"
        ]

    def test_nothing_is_said_where_it_has_an_effect_or_was_not_asked_for(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class One(LLM):
            def _call(self, prompt: str) -> str:
                return prompt

        class Many(One):
            async def _abatch(self, prompts: list[str]) -> list[str]:
                return prompts

        class Vectors(EmbeddingModel):
            def _embed(self, texts: list[str]) -> list[list[float]]:
                return [[1.0] for _ in texts]

        class Handler(CustomLLM):
            def completion(self, messages: list[Any]) -> str:
                return "ok"

        One()
        One(max_batch_size=None)
        Many(max_batch_size=2)
        Vectors(max_batch_size=2)
        HandlerModels(Handler(), {"max_batch_size": 2}).model("chat")  # the field is for its embeddings
        assert caplog.messages == []


def test_a_file_that_no_module_was_made_of_may_postpone_its_annotations(tmp_path: Path) -> None:
    """LiteLLM's proxy executes the files of its config's handlers like this."""
    file = tmp_path / "executed.py"
    file.write_text(
        "from __future__ import annotations\n"
        "from typing import Any\n"
        "from modelport import LLM\n"
        "class Echo(LLM):\n"
        "    shape: dict[str, Any] = {}\n"
        "    def _call(self, prompt: str) -> str:\n"
        "        return prompt\n"
    )
    spec = importlib.util.spec_from_file_location("executed", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "executed" not in sys.modules
    assert module.Echo(shape={"a": 1}).invoke("hi") == "hi"
    with pytest.raises(ValueError, match="shape"):
        module.Echo(shape=3)
