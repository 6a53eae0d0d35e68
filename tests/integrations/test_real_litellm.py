"""Where LiteLLM is installed, handler files get the real one, and its pydantic objects are understood.

`installed/litellm_package.txt` is a small package of that name with classes like LiteLLM's.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from modelport.integrations import litellm
from modelport.registry.loader import load_object

INSTALLED = Path(__file__).parent / "installed"
HELLO = [{"role": "user", "content": "Hello"}]


def install(place: Path) -> None:
    """Write the package's files."""
    for part in (INSTALLED / "litellm_package.txt").read_text("ascii").split("=== ")[1:]:
        name, _, text = part.partition("\n")
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of the handlers' file, loaded where that package is installed."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    (tmp_path / "real_handlers.py").write_bytes((INSTALLED / "handlers.txt").read_bytes())
    load_object("real_handlers.Whole", tmp_path)
    return sys.modules["real_handlers"]


def with_handler(handler: Any) -> None:
    litellm.custom_provider_map = [{"provider": "mine", "custom_handler": handler}]


def test_the_real_package_is_used(handlers: Any) -> None:
    assert handlers.litellm.__name__ == "litellm"
    assert handlers.CustomLLM is not litellm.CustomLLM
    assert handlers.ModelResponse is not litellm.ModelResponse


def test_its_whole_answers_are_understood(handlers: Any) -> None:
    with_handler(handlers.Whole())
    answer = litellm.completion(model="mine/x", messages=HELLO)
    assert isinstance(answer, litellm.ModelResponse)
    assert answer.choices[0].message.content == "Hi!"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (10, 20, 30)


def test_a_response_filled_with_its_objects_is_understood(handlers: Any) -> None:
    with_handler(handlers.Filling)
    answer = litellm.completion(model="mine/x", messages=HELLO)
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == ("filled", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens == 3


def test_methods_that_only_its_base_class_has_are_derived(handlers: Any) -> None:
    with_handler(handlers.Whole())
    chunks = list(litellm.completion(model="mine/x", messages=HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hi!"


async def test_its_chunks_are_understood(handlers: Any) -> None:
    with_handler(handlers.Streaming())
    options = {"include_usage": True}
    stream = await litellm.acompletion(model="mine/x", messages=HELLO, stream=True, stream_options=options)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "Hi there"
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 9
    assert len({chunk.id for chunk in chunks}) == 1


def test_its_embeddings_are_understood(handlers: Any) -> None:
    with_handler(handlers.Others())
    response = litellm.embedding(model="mine/x", input=["a", "bbb"])
    assert [one.embedding for one in response.data] == [[1.0, 0.5], [3.0, 0.5]]
    assert response.usage.total_tokens == 6


def test_its_images_are_understood(handlers: Any) -> None:
    with_handler(handlers.Others())
    response = litellm.image_generation(model="mine/x", prompt="an otter")
    assert response.data[0].url == "https://example.com/image.png"


def test_its_errors_keep_their_status(handlers: Any) -> None:
    with_handler(handlers.Limited())
    with pytest.raises(litellm.RateLimitError, match="slow down") as caught:
        litellm.completion(model="mine/x", messages=HELLO)
    assert type(caught.value.__cause__) is handlers.litellm.RateLimitError


def test_its_map_is_read_after_ours(handlers: Any) -> None:
    answer = litellm.completion(model="theirs/x", messages=HELLO)
    assert answer.choices[0].message.content == "registered there"
    litellm.custom_provider_map = [{"provider": "theirs", "custom_handler": handlers.Whole()}]
    assert litellm.completion(model="theirs/x", messages=HELLO).choices[0].message.content == "Hi!"


def test_a_program_that_uses_both_gets_the_real_one(tmp_path: Path) -> None:
    install(tmp_path)
    (tmp_path / "own_handler.py").write_text("import litellm\nvalue = litellm.__file__\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from modelport.integrations import litellm as ours\n"
        "from modelport.registry.loader import load_object\n"
        f"place = load_object('own_handler.value', __import__('pathlib').Path({str(tmp_path)!r}))\n"
        "import litellm\n"
        f"assert place == litellm.__file__ and place.startswith({str(tmp_path)!r}), place\n"
        "assert litellm is not ours\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60, cwd=tmp_path).returncode == 0
