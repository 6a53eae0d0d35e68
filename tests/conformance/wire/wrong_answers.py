"""Wrong whole answers, lists of models, vectors and images."""

from __future__ import annotations

from typing import Any

from tests.conformance.wire.http_server import RefusedError, Reply
from tests.conformance.wire.reference import Right
from tests.conformance.wire.reference_values import MODEL
from tests.conformance.wire.wrong import changed, refusing, with_status, wrong

BOTH = "one model, so one wrong count in whole answers and in streams"


def models(**changes: Any) -> dict[str, Any]:
    return {"entry": lambda self: {**Right.entry(self), **changes}}


def of_list(data: Any) -> dict[str, Any]:
    return {"models": lambda self, request: self.json({"object": "list", "data": data(self)})}


wrong("wire-models:list:answers", **of_list(lambda self: []))
wrong("wire-models:list:shape", **of_list(lambda self: [{**self.entry(), "owned_by": None}]))
wrong("wire-models:list:ids-differ", **of_list(lambda self: [self.entry(), self.entry()]))
wrong("wire-models:list:created-seconds", **models(created=1_700_000_000_000))
with_status("wire-models:retrieve:unknown", "unknown-retrieved", 400)


def retrieve_nothing(self: Right, name: str) -> Reply:
    raise RefusedError("unknown-retrieved", "there is no such path", status=404)


wrong("wire-models:retrieve:answers", retrieve=retrieve_nothing)
wrong(
    "wire-models:retrieve:shape",
    retrieve=lambda self, name: self.json({"id": name}) if name == MODEL else Right.retrieve(self, name),
)


# --- whole answers of both endpoints


def whole(change: Any) -> dict[str, Any]:
    def changed_whole(self: Right, kind: str, body: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        change(self, kind, body, value)
        return value

    return {"whole": changed_whole}


def set_in(**fields: Any) -> dict[str, Any]:
    return whole(lambda self, kind, body, value: value.update(fields))


def first(value: dict[str, Any]) -> dict[str, Any]:
    return value["choices"][0]


for kind_of in ("chat", "text"):
    wrong(
        f"wire-{kind_of}:whole:answers",
        **whole(lambda self, kind, body, value, wanted=kind_of: value.update(choices=[]) if kind == wanted else None),
    )
wrong("wire-*t:whole:types", **set_in(system_fingerprint=7))
wrong("wire-*t:whole:no-nulls", **set_in(system_fingerprint=None))
wrong("wire-*t:whole:null-keys", **whole(lambda self, kind, body, value: first(value).pop("logprobs")))
wrong("wire-*t:whole:id", **set_in(id="always-the-same"))
wrong("wire-*t:whole:created", **set_in(created=1_700_000_000_000))
wrong("wire-*t:whole:model", **set_in(model=""))


def one_more(self: Right, kind: str, body: dict[str, Any], value: dict[str, Any]) -> None:
    if body.get("n") is None and not isinstance(body.get("prompt"), list):
        value["choices"].append({**first(value), "index": 1})


def ended(self: Right, kind: str, body: dict[str, Any], value: dict[str, Any]) -> None:
    if not body.get("stop") and first(value)["finish_reason"] == "stop":
        first(value)["finish_reason"] = "eos_token"


def as_text(self: Right, reply: Reply, *arguments: Any) -> Reply:
    reply.headers["content-type"] = "text/html"
    return reply


wrong("wire-*t:whole:one-choice", **whole(one_more))
wrong("wire-*t:whole:finish-reason", **whole(ended))
wrong("wire-*t:whole:content-type", **changed("whole_reply", as_text))

# --- usage


def count(change: Any) -> dict[str, Any]:
    def usage(self: Right, kind: str, body: dict[str, Any], prompt: str, tokens: int) -> dict[str, Any]:
        return {**Right.usage(self, kind, body, prompt, tokens), **change(body, prompt, tokens)}

    return {"usage": usage}


def limited(body: dict[str, Any]) -> bool:
    return body.get("max_tokens") == 2


wrong("wire-usage:*:present", **whole(lambda self, kind, body, value: value.pop("usage")))
wrong("wire-usage:*:adds-up", **count(lambda body, prompt, tokens: {"total_tokens": 10_000}))
wrong(
    "wire-usage:*:counted",
    **count(lambda body, prompt, tokens: {"completion_tokens": 0, "total_tokens": len(prompt.split())}),
)
wrong("wire-usage:*:grows", **count(lambda body, prompt, tokens: {"prompt_tokens": 5, "total_tokens": 5 + tokens}))
wrong(
    "wire-usage:*:stream-as-whole",
    **count(
        lambda body, prompt, tokens: {"prompt_tokens": 90, "total_tokens": 90 + tokens} if body.get("stream") else {}
    ),
)
wrong(
    "wire-limit:*:counted",
    **count(
        lambda body, prompt, tokens: (
            {"completion_tokens": 9, "total_tokens": len(prompt.split()) + 9} if limited(body) else {}
        )
    ),
)

# --- stop, limits, choices


def ignoring(method: str, is_so: Any, instead: Any) -> dict[str, Any]:
    right = getattr(Right, method)
    return {method: lambda self, kind, body: instead if is_so(body) else right(self, kind, body)}


def is_text(value: Any) -> bool:
    return isinstance(value, str)


wrong(
    "wire-stop:*:string", **ignoring("stops_of", lambda body: is_text(body.get("stop")) and not body.get("stream"), [])
)
wrong(
    "wire-stop:*:list",
    **ignoring("stops_of", lambda body: isinstance(body.get("stop"), list) and not body.get("stream"), []),
)
wrong(
    "wire-stop:*:stream",
    "wire-stop:*:across-chunks",
    why="a stream that ignores stop strings ignores those that two chunks share as well",
    **ignoring("stops_of", lambda body: body.get("stream"), []),
)
wrong("wire-stop:*:reason", stop_reason=lambda self, kind, body: "length")


def within_pieces(self: Right, pieces_and_reason: Any, kind: str, body: dict[str, Any], text: str) -> Any:
    stops = Right.stops_of(self, kind, body)
    pieces, reason = Right.cut(self, kind, {**body, "stop": None}, text)
    if not body.get("stream"):
        return pieces_and_reason
    for place, piece in enumerate(pieces):
        found = [piece.find(stop) for stop in stops if stop in piece]
        if found:
            return [*pieces[:place], piece[: min(found)]], "stop"
    return pieces, reason


def forgets_the_end(
    self: Right, pieces: list[str], kind: str, body: dict[str, Any], all_pieces: list[str]
) -> list[str]:
    stops = Right.stops_of(self, kind, body)
    begun = any(stop.startswith("".join(pieces)[-3:]) for stop in stops)
    return pieces[:-1] if begun and body.get("stream") else pieces


wrong("wire-stop:*:across-chunks", **changed("cut", within_pieces))
wrong("wire-stop:*:held-back", **changed("last_pieces", forgets_the_end))
wrong("wire-limit:*:max-tokens", **ignoring("limit_of", lambda body: limited(body) and not body.get("stream"), None))
wrong("wire-limit:*:stream", **ignoring("limit_of", lambda body: limited(body) and body.get("stream"), None))
wrong("wire-limit:*:max-completion-tokens", **ignoring("limit_of", lambda body: "max_completion_tokens" in body, None))
wrong("wire-limit:*:reason", limit_reason=lambda self, kind, body: "length" if body.get("stream") else "stop")
wrong("wire-choices:*:whole", **ignoring("count_of", lambda body: body.get("n") and not body.get("stream"), 1))
wrong("wire-choices:*:stream", **ignoring("count_of", lambda body: body.get("n") and body.get("stream"), 1))

# --- lists of prompts


def only_first(self: Right, prompts: list[Any], given: Any) -> list[Any]:
    return prompts[:1] if is_text(prompts[0]) else prompts


wrong("wire-text:prompts:choice-each", **changed("prompts_of", only_first))
refusing(
    "wire-text:prompts:list-of-one", lambda body: isinstance(body.get("prompt"), list) and len(body["prompt"]) == 1
)
with_status("wire-text:prompts:token-ids", "token-ids", 500)
with_status("wire-text:prompts:missing", "no-prompt", 422)

# --- vectors


def embedded(change: Any) -> dict[str, Any]:
    def changed_value(self: Right, body: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        change(body, value)
        return value

    return {"embedded": changed_value}


wrong(
    "wire-embedding:whole:answers",
    **embedded(lambda body, value: value["data"].pop() if len(value["data"]) == 2 else None),
)
wrong("wire-embedding:whole:shape", **embedded(lambda body, value: value["data"][0].pop("object")))
wrong("wire-embedding:whole:usage", **embedded(lambda body, value: value["usage"].update(prompt_tokens=0)))
wrong("wire-embedding:whole:order", vectors=lambda self, vectors: vectors[::-1])
wrong(
    "wire-embedding:whole:one-text",
    **embedded(lambda body, value: value.update(data=value["data"] * 2) if body["input"] == "one" else None),
)
wrong("wire-embedding:whole:base64", encoded=lambda self, body, vector: vector)
wrong(
    "wire-embedding:whole:dimensions",
    size_of=lambda self, body: 4 if body.get("dimensions") == 2 else Right.size_of(self, body),
)
with_status("wire-embedding:request:huge-dimensions", "huge-dimensions", 500)
wrong(
    "wire-embedding:request:token-ids",
    inputs_of=lambda self, value: (
        [value] if is_text(value) else [*map(str, value)] if value and isinstance(value[0], int) else value
    ),
)
with_status("wire-embedding:request:no-input", "no-input", 422)
with_status("wire-embedding:request:empty-list", "empty-list", 500)
with_status("wire-embedding:request:wrong-format", "wrong-format", 500)

# --- images


def drawn(change: Any) -> dict[str, Any]:
    def changed_value(self: Right, body: dict[str, Any], value: dict[str, Any]) -> dict[str, Any]:
        change(value)
        return value

    return {"drawn": changed_value}


wrong("wire-image:whole:answers", **drawn(lambda value: value.update(data=[])))
wrong("wire-image:whole:shape", **drawn(lambda value: value.pop("created")))
wrong("wire-image:whole:one-form", **drawn(lambda value: value.update(data=[{"b64_json": "%%%"}] * len(value["data"]))))
wrong("wire-image:whole:count", **drawn(lambda value: value.update(data=value["data"][:1])))
with_status("wire-image:request:no-prompt", "no-image-prompt", 422)
