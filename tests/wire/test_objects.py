"""Wire objects are used as LiteLLM's: by attribute, by item, as dicts, copied, pickled, filled in place."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.wire.completion import ChatCompletion, Choice, CompletionUsage, Function, ResponseMessage, ToolCall
from modelport.wire.completion_chunk import ChatCompletionChunk, Delta, StreamingChoice
from modelport.wire.embedding_response import EmbeddingResponse
from modelport.wire.image_response import ImageObject, ImageResponse
from modelport.wire.objects import WireObject, encode_object, plain
from modelport.wire.rerank import RerankResponse
from modelport.wire.text_completion import TextCompletion

EVERY_TYPE: list[type[WireObject]] = [
    ChatCompletion,
    Choice,
    ResponseMessage,
    CompletionUsage,
    ChatCompletionChunk,
    StreamingChoice,
    Delta,
    ToolCall,
    Function,
    TextCompletion,
    EmbeddingResponse,
    ImageResponse,
    ImageObject,
    RerankResponse,
]


def completion(**fields: Any) -> ChatCompletion:
    facts = {"id": "chatcmpl-1", "created": 5, "model": "m", "choices": [{"message": {"content": "x"}}]}
    return ChatCompletion.model_validate({**facts, **fields})


def test_parts_are_made_of_dicts() -> None:
    made = ChatCompletion(
        choices=[{"message": {"content": "x", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}}],  # pyright: ignore[reportArgumentType]
        usage={"prompt_tokens": 1},  # pyright: ignore[reportArgumentType]
    )
    assert isinstance(made.choices[0], Choice)
    assert isinstance(made.choices[0].message, ResponseMessage)
    assert made.choices[0].message.tool_calls
    assert isinstance(made.choices[0].message.tool_calls[0], ToolCall)
    assert made.choices[0].message.tool_calls[0].function == Function(name="f", arguments="{}")
    assert made.usage == CompletionUsage(prompt_tokens=1, completion_tokens=0, total_tokens=0)


def test_parts_may_be_objects_too() -> None:
    choice = StreamingChoice(delta=Delta(content="x"))
    assert ChatCompletionChunk(choices=[choice]).choices[0] is choice


def test_an_object_made_of_nothing_is_litellms_fresh_one() -> None:
    fresh = ChatCompletion()
    assert fresh.id.startswith("chatcmpl-")
    assert fresh.id != ChatCompletion().id
    assert (fresh.object, fresh.model, fresh.usage) == ("chat.completion", None, None)
    assert fresh.choices == [Choice(index=0, finish_reason="stop", message=ResponseMessage(role="assistant"))]
    assert fresh.choices[0].message.content is None


@pytest.mark.parametrize("kind", EVERY_TYPE)
def test_every_type_can_be_made_of_nothing_and_no_two_share_a_part(kind: type[WireObject]) -> None:
    one, other = kind(), kind()
    for name, value in one.items():
        assert not isinstance(value, (list, dict, WireObject)) or value is not other[name]


def test_what_is_given_as_none_counts_as_not_given() -> None:
    made = Choice.model_validate({"index": None, "message": None, "finish_reason": None})
    assert made == Choice()


def test_usage_is_not_added_up() -> None:
    assert CompletionUsage(prompt_tokens=3, completion_tokens=4).total_tokens == 0


def test_values_without_names_are_those_that_litellm_takes() -> None:
    assert CompletionUsage(1, 2, 3) == CompletionUsage(prompt_tokens=1, completion_tokens=2, total_tokens=3)  # pyright: ignore[reportCallIssue]
    assert ResponseMessage("hi").content == "hi"  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match=r"Choice takes keywords: Choice\(index=…\)"):
        Choice(0)  # pyright: ignore[reportCallIssue]


def test_hidden_params_are_there_and_stay_here() -> None:
    usage = CompletionUsage(prompt_tokens=1)
    usage._hidden_params["x"] = 1  # pyright: ignore[reportAttributeAccessIssue]
    assert usage.hidden_params == {"x": 1}  # pyright: ignore[reportAttributeAccessIssue]
    assert "_hidden_params" not in usage.model_dump()


def test_reading_works_by_attribute_and_by_item() -> None:
    made = completion()
    assert made.choices[0].message.content == "x"
    assert made["choices"][0]["message"]["content"] == "x"
    assert made.get("choices")[0].get("message").get("content") == "x"
    assert (made.get("nothing"), made.get("nothing", 5)) == (None, 5)
    with pytest.raises(KeyError):
        made["nothing"]
    with pytest.raises(AttributeError):
        made.nothing  # pyright: ignore[reportAttributeAccessIssue]  # noqa: B018


def test_writing_works_by_attribute_and_by_item() -> None:
    made = completion()
    made["choices"][0]["message"]["content"] = "y"
    made.model = "other"
    made["usage"] = CompletionUsage(total_tokens=3)
    assert (made.choices[0].message.content, made["model"], made["usage"].total_tokens) == ("y", "other", 3)


def test_in_asks_for_fields_and_extra_attributes_not_for_methods() -> None:
    made = completion(extra=1)
    assert "usage" in made
    assert "extra" in made
    assert "get" not in made
    with pytest.raises(KeyError):
        made["get"]


def test_deleting_takes_away_an_extra_attribute_and_empties_a_field() -> None:
    made = completion(extra=1, usage={"total_tokens": 3})
    del made["extra"]
    del made["usage"]
    assert "extra" not in made
    assert made.usage is None
    with pytest.raises(KeyError):
        del made["extra"]


def test_an_object_becomes_a_dict_and_iterates_as_pairs() -> None:
    usage = CompletionUsage.model_validate({"prompt_tokens": 1, "cached": 2})
    expected = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 0, "cached": 2}
    assert dict(usage) == {**usage} == dict(iter(usage)) == expected
    assert list(usage.keys()) == list(expected)


@pytest.mark.parametrize("dump", [WireObject.model_dump, WireObject.dict, WireObject.to_dict, WireObject.json])
def test_every_dump_is_the_json_as_a_dict(dump: Any) -> None:
    made = completion(usage={"prompt_tokens": 1}, vendor={"a": [1]})
    assert dump(made) == json.loads(encode_object(made)) == json.loads(made.model_dump_json())
    assert "system_fingerprint" not in dump(made)
    assert dump(made)["choices"][0]["message"] == {"role": "assistant", "content": "x", "refusal": None}


def test_none_can_be_left_out_everywhere() -> None:
    dumped = completion(vendor={"a": None}).model_dump(exclude_none=True)
    assert dumped["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}
    ]
    assert dumped["vendor"] == {}
    assert json.loads(completion().model_dump_json(exclude_none=True)) == completion().model_dump(exclude_none=True)


def test_a_dump_takes_and_leaves_names() -> None:
    assert completion().model_dump(include={"id", "model"}) == {"id": "chatcmpl-1", "model": "m"}
    assert "choices" not in completion().model_dump(exclude={"choices"}, exclude_unset=True)


def test_json_text_can_be_indented() -> None:
    assert CompletionUsage().model_dump_json(indent=2).splitlines()[1] == '  "prompt_tokens": 0,'


def test_unknown_keys_are_kept_at_every_level() -> None:
    body = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "x", "refusal": None, "audio": {"id": 3}},
                "logprobs": None,
                "finish_reason": "stop",
                "stop_reason": 128,
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "details": {"cached": None}},
        "kv_transfer_params": None,
        "a key": [1, {"b": 2}],
    }
    made = ChatCompletion.model_validate(body)
    assert json.loads(encode_object(made)) == made.model_dump() == body
    assert made.choices[0]["stop_reason"] == 128


def test_a_key_that_is_a_methods_name_cannot_hide_the_method() -> None:
    made = CompletionUsage.model_validate({"get": 1, "model_dump": 2, "__class__": 3, "keys": 4, "total_tokens": 5})
    assert made.get("total_tokens") == made.model_dump()["total_tokens"] == dict(made)["total_tokens"] == 5
    assert type(made) is CompletionUsage


def test_private_attributes_stay_in_the_process() -> None:
    made = completion()
    made._hidden_params = {"key": "secret"}  # pyright: ignore[reportAttributeAccessIssue]
    assert made["_hidden_params"] == {"key": "secret"}
    assert "secret" not in made.model_dump_json() + repr(made) + str(made.model_dump()) + str(dict(made))
    assert encode_object(made) == encode_object(completion())


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one)), lambda one: one.model_copy()],
    ids=["copy", "deepcopy", "pickle", "model_copy"],
)
def test_a_copy_is_equal_keeps_extras_and_is_another_object(copied: Any) -> None:
    made = completion(extra=[1], _hidden_params={"a": 1})
    made._hidden_params = {"a": 1}  # pyright: ignore[reportAttributeAccessIssue]
    other = copied(made)
    assert other == made
    assert (type(other), other["extra"], other._hidden_params) == (ChatCompletion, [1], {"a": 1})
    other.extra = 2
    other.id = "2"
    assert (made["extra"], made.id) == ([1], "chatcmpl-1")


def test_a_deep_copy_shares_nothing() -> None:
    for other in (copy.deepcopy(made := completion()), made.model_copy(deep=True)):
        other.choices[0].message.content = "y"
        assert made.choices[0].message.content == "x"
    assert made.model_copy(update={"model": "other"}).model == "other"


def test_objects_are_equal_when_all_they_carry_is() -> None:
    assert completion() == completion()
    assert completion() != completion(extra=1)
    assert completion(extra=1) != completion(extra=2)
    assert Delta() != StreamingChoice()
    assert Delta() != {}
    with pytest.raises(TypeError, match="unhashable"):
        hash(Delta())


def test_a_repr_names_everything_public() -> None:
    assert repr(Delta.model_validate({"content": "x", "more": 1})) == (
        "Delta(role=None, content='x', refusal=None, reasoning_content=None, tool_calls=None, function_call=None, "
        "more=1)"
    )


def test_dicts_that_a_handler_puts_in_place_of_parts_are_written_with_what_they_hold() -> None:
    made = completion()
    made.choices = [{"message": ResponseMessage.model_validate({"content": "y", "more": 1})}]  # pyright: ignore[reportAttributeAccessIssue]
    message = {"role": "assistant", "content": "y", "refusal": None, "more": 1}
    assert json.loads(encode_object(made))["choices"] == [{"message": message}]


def test_values_that_json_does_not_have_are_turned_into_ones_that_it_has() -> None:
    made = completion(raw=b"abc")
    assert made.model_dump()["raw"] == b"abc"
    assert made.model_dump(mode="json")["raw"] == json.loads(made.model_dump_json())["raw"] == "YWJj"


def test_the_fast_constructor_makes_the_same_object() -> None:
    assert plain(Delta)(role="assistant", content="x") == Delta(role="assistant", content="x")


def test_decoding_makes_objects_too() -> None:
    made = msgspec.json.decode(b'{"choices": [{"delta": {"content": "x"}}]}', type=ChatCompletionChunk)
    assert made.choices[0].delta == Delta(content="x")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec=None, exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(codec=None, exclude_categories=())), json_values))
def test_any_extra_keys_survive_json(extras: dict[str, Any]) -> None:
    made = ResponseMessage.model_validate({"content": "x", **extras})
    again = ResponseMessage.model_validate(json.loads(encode_object(made)))
    assert again == made
    kept = {name for name in extras if not name.startswith("_") and not hasattr(ResponseMessage, name)}
    assert kept <= set(made.model_dump())
