"""`generate` and `agenerate`: choices, finish reasons and usage of many prompts."""

from __future__ import annotations

from typing import Any

import pytest

from modelport import LLM, LLMResult
from modelport.values.errors import HookError, InputError


class Echo(LLM):
    def _call(self, prompt: str) -> str:
        return prompt


class Giving(LLM):
    value: Any

    def _call(self, prompt: str) -> Any:
        return self.value


class TestGenerate:
    async def test_it_gives_one_list_of_choices_per_prompt(self) -> None:
        model = Echo(name="echo")
        for result in (model.generate(["ab", "cd"]), await model.agenerate(["ab", "cd"])):
            assert isinstance(result, LLMResult)
            assert [[one.text for one in many] for many in result.generations] == [["ab"], ["cd"]]
            assert result.llm_output == {
                "token_usage": {
                    "prompt_tokens": 2,
                    "completion_tokens": 2,
                    "total_tokens": 4,
                    "estimated": True,
                },
                "model_name": "echo",
            }

    async def test_n_fans_out(self) -> None:
        calls: list[Any] = []

        class Noting(LLM):
            def _call(self, prompt: str, **kwargs: Any) -> str:
                calls.append(kwargs)
                return prompt

        for result in (Noting().generate(["a", "b"], n=3), await Noting().agenerate(["a", "b"], n=3)):
            assert [[one.text for one in many] for many in result.generations] == [
                ["a"] * 3,
                ["b"] * 3,
            ]
        assert calls == [{}] * 12

    async def test_a_hook_that_supports_n_gets_it_once(self) -> None:
        calls: list[int] = []

        class Several(LLM):
            def _call(self, prompt: str, n: int = 1) -> Any:
                calls.append(n)
                return [f"{prompt}{i}" for i in range(n)] if n > 1 else prompt

        for result in (Several().generate(["a"], n=3), await Several().agenerate(["a"], n=3)):
            assert [one.text for one in result.generations[0]] == ["a0", "a1", "a2"]
        assert calls == [3, 3]

    async def test_nothing_gives_nothing(self) -> None:
        assert Echo().generate([]).generations == []
        assert (await Echo().agenerate([], n=2)).generations == []

    @pytest.mark.parametrize("n", [0, -1, 1.5, "2", True])
    async def test_n_must_be_a_positive_int(self, n: Any) -> None:
        with pytest.raises(InputError, match="n must be an int of at least 1, not"):
            Echo().generate(["a"], n=n)
        with pytest.raises(InputError, match="n must be an int of at least 1, not"):
            await Echo().agenerate(["a"], n=n)

    async def test_a_single_text_is_refused(self) -> None:
        text: Any = "hello"
        with pytest.raises(InputError, match=r"write generate\(\['hello'\]\)"):
            Echo().generate(text)
        with pytest.raises(InputError):
            await Echo().agenerate(text)

    async def test_the_first_failure_is_raised(self) -> None:
        inputs: Any = ["a", 4]
        with pytest.raises(InputError, match="4"):
            Echo().generate(inputs)
        with pytest.raises(InputError, match="4"):
            await Echo().agenerate(inputs)
        for n in (1, 2):
            with pytest.raises(HookError):
                Giving(value=None).generate(["a"], n=n)
            with pytest.raises(HookError):
                await Giving(value=None).agenerate(["a"], n=n)
