"""A small right server of the whole API, whose one model is an echo. Wrong servers are made of it by one change."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from tests.conformance.wire.http_server import RefusedError, Reply, Request
from tests.conformance.wire.reference_values import MODEL, RightValues

KEY = "sk-right"
Body = dict[str, Any]
ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
BOUNDS = {"temperature": (0, 2), "top_p": (0, 1), "n": (1, 128)}
TYPES: dict[str, tuple[type, ...]] = {
    "temperature": (int, float),
    "max_tokens": (int,),
    "max_completion_tokens": (int,),
    "stream": (bool,),
    "n": (int, float),
    "stop": (str, list),
}
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def tokens_of(text: str) -> list[str]:
    return re.findall(r"\S+\s*|\s+", text)


def text_of(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content or ())


class Right(RightValues):
    """Answers as OpenAI's API does. Each method is one place where a server may be wrong."""

    def __init__(self) -> None:
        self.count = 0
        self.asked = 0
        """What wrong servers keep: how many requests there were, and what the last one asked."""
        self.last = ""

    # --- requests and errors

    def answer(self, request: Request) -> Reply:
        self.count += 1
        try:
            reply = self.route(request)
        except RefusedError as refused:
            reply = self.refusal(request, refused)
        return self.finished(request, reply)

    def finished(self, request: Request, reply: Reply) -> Reply:
        reply.headers["x-request-id"] = f"req-{self.count}"
        return reply

    def refusal(self, request: Request, refused: RefusedError) -> Reply:
        body = self.error_body(refused)
        return self.json(body, self.status_of(refused.case, refused.status))

    def status_of(self, case: str, status: int) -> int:
        return status

    def error_body(self, refused: RefusedError) -> Any:
        kind = "invalid_request_error"
        return {"error": {"message": str(refused), "type": kind, "param": refused.param, "code": refused.code}}

    def authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if not key:
            raise RefusedError("no-key", "no key was given", status=401, code="invalid_api_key")
        if scheme.lower() != "bearer" or key != KEY:
            raise RefusedError("wrong-key", "the key is wrong", status=401, code="invalid_api_key")

    def route(self, request: Request) -> Reply:
        if request.method == "OPTIONS":
            return self.options(request)
        self.authorize(request)
        path = request.path
        if path == "/models" and request.method in ("GET", "HEAD"):
            return self.models(request)
        if path.startswith("/models/") and request.method == "GET":
            return self.retrieve(path.removeprefix("/models/"))
        posts = {
            "/chat/completions": self.chat,
            "/completions": self.text,
            "/embeddings": self.embed,
            "/images/generations": self.image,
        }
        if path not in posts:
            raise RefusedError("unknown-route", "there is no such path", status=404)
        if request.method != "POST":
            raise RefusedError("wrong-method", "no such method here", status=405)
        return posts[path](self.read_body(request))

    def options(self, request: Request) -> Reply:
        wanted = request.headers.get("access-control-request-headers", "")
        headers = {"access-control-allow-origin": "*", "access-control-allow-headers": self.allowed_headers(wanted)}
        return Reply(204, b"", headers)

    def allowed_headers(self, wanted: str) -> str:
        return wanted

    def read_body(self, request: Request) -> Body:
        if not request.body:
            raise RefusedError("no-body", "the body is empty")
        try:
            text = request.body.decode("utf-8")
        except UnicodeDecodeError:
            raise RefusedError("no-utf8", "the body is no UTF-8") from None
        try:
            value = json.loads(text)
        except RecursionError:
            raise RefusedError("deep-json", "too deep") from None
        except ValueError:
            raise RefusedError("bad-json", "the body is no JSON") from None
        if not isinstance(value, dict):
            raise RefusedError("no-object", "the body is no object")
        self.look_at(value)
        self.check_model(value)
        return value

    def look_at(self, body: Body) -> None:
        """Refuse, where a wrong server does."""

    def check_model(self, body: Body) -> None:
        if "model" not in body:
            raise RefusedError("no-model", "which model?", param="model")
        if body["model"] != MODEL:
            message = f"there is no model {body['model']!r}"
            raise RefusedError("unknown-model", message, status=404, param="model", code="model_not_found")

    def check_options(self, body: Body) -> None:
        for name, types in TYPES.items():
            value = body.get(name)
            if value is None:
                continue
            if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
                case = {
                    "temperature": "wrong-type",
                    "max_tokens": "max-tokens-text",
                    "stream": "stream-text",
                    "stop": "wrong-stop",
                }.get(name, "other")
                raise RefusedError(case, f"{name} is {value!r}", param=name)
            if name in BOUNDS and not BOUNDS[name][0] <= value <= BOUNDS[name][1]:
                case = {"temperature": "temperature-above", "n": "no-choices"}.get(name, "other")
                raise RefusedError(case, f"{name} is {value!r}", param=name)

    # --- models

    def entry(self) -> Body:
        return {"id": MODEL, "object": "model", "created": 1_700_000_000, "owned_by": "me"}

    def models(self, request: Request) -> Reply:
        return self.json({"object": "list", "data": [self.entry()]})

    def retrieve(self, name: str) -> Reply:
        if name != MODEL:
            raise RefusedError("unknown-retrieved", "no such model", status=404, param="model", code="model_not_found")
        return self.json(self.entry())

    # --- texts

    def chat(self, body: Body) -> Reply:
        messages = body.get("messages")
        if messages is None:
            raise RefusedError("no-messages", "messages are missing", param="messages")
        if not isinstance(messages, list):
            raise RefusedError("text-messages", "messages are no list", param="messages")
        if not messages:
            raise RefusedError("empty-messages", "messages are empty", param="messages")
        for message in messages:
            if "role" not in message:
                raise RefusedError("no-role", "a message has no role", param="messages")
            if message["role"] not in ROLES:
                raise RefusedError("unknown-role", "a role is unknown", param="messages")
        self.check_options(body)
        if body.get("tools") and body.get("tool_choice") == "required":
            return self.tool_calls(body)
        return self.generate("chat", body, [text_of(messages[-1]["content"])])

    def text(self, body: Body) -> Reply:
        prompts = body.get("prompt")
        if prompts is None:
            raise RefusedError("no-prompt", "the prompt is missing", param="prompt")
        prompts = self.prompts_of(prompts)
        if not all(isinstance(one, str) for one in prompts):
            raise RefusedError("token-ids", "token ids are not taken", param="prompt")
        self.check_options(body)
        return self.generate("text", body, prompts)

    def prompts_of(self, prompts: Any) -> list[Any]:
        return [prompts] if isinstance(prompts, str) else prompts

    def said(self, kind: str, body: Body, prompt: str) -> str:
        """What the echo says before it is cut."""
        if LONE_SURROGATE.search(prompt):
            raise RefusedError("lone-surrogate", "half a character", param="messages")
        return prompt

    def limit_of(self, kind: str, body: Body) -> int | None:
        newer = body.get("max_completion_tokens")
        return body.get("max_tokens") if newer is None else newer

    def stops_of(self, kind: str, body: Body) -> list[str]:
        stop = body.get("stop") or []
        return [stop] if isinstance(stop, str) else stop

    def count_of(self, kind: str, body: Body) -> int:
        return int(body.get("n") or 1)

    def cut(self, kind: str, body: Body, text: str) -> tuple[list[str], str]:
        """The answer's pieces, and why it ended."""
        pieces, reason = tokens_of(text), "stop"
        limit = self.limit_of(kind, body)
        if limit is not None and len(pieces) > limit:
            pieces, reason = pieces[:limit], self.limit_reason(kind, body)
        joined = "".join(pieces)
        places = [joined.find(stop) for stop in self.stops_of(kind, body) if stop in joined]
        if places:
            pieces, reason = tokens_of(joined[: min(places)]), self.stop_reason(kind, body)
        return self.last_pieces(kind, body, pieces), self.reason(kind, body, reason)

    def limit_reason(self, kind: str, body: Body) -> str:
        return "length"

    def stop_reason(self, kind: str, body: Body) -> str:
        return "stop"

    def last_pieces(self, kind: str, body: Body, pieces: list[str]) -> list[str]:
        return pieces

    def reason(self, kind: str, body: Body, reason: str) -> str:
        return reason

    def usage(self, kind: str, body: Body, prompt: str, count: int) -> Body:
        size = len(tokens_of(prompt))
        return {"prompt_tokens": size, "completion_tokens": count, "total_tokens": size + count}

    def head(self, kind: str, body: Body, object_name: str) -> Body:
        self.count += 1
        return {"id": f"{kind}-{self.count}", "object": object_name, "created": int(time.time()), "model": MODEL}

    def generate(self, kind: str, body: Body, prompts: list[str]) -> Reply:
        answers = [
            (self.cut(kind, body, self.said(kind, body, prompt)), prompt)
            for prompt in prompts
            for _ in range(self.count_of(kind, body))
        ]
        tokens = sum(len(pieces) for (pieces, _), _ in answers)
        usage = self.usage(kind, body, " ".join(prompts), tokens)
        if self.is_streamed(body):
            return self.streamed(kind, body, [answer for answer, _ in answers], usage)
        choices = [self.choice(kind, index, "".join(p), reason) for index, ((p, reason), _) in enumerate(answers)]
        object_name = "chat.completion" if kind == "chat" else "text_completion"
        value = {**self.head(kind, body, object_name), "choices": choices, "usage": usage}
        return self.whole_reply(kind, body, self.whole(kind, body, value))

    def is_streamed(self, body: Body) -> bool:
        return bool(body.get("stream"))

    def choice(self, kind: str, index: int, text: str, reason: str) -> Body:
        told: Body = {"index": index, "logprobs": None, "finish_reason": reason}
        if kind == "chat":
            return {**told, "message": {"role": "assistant", "content": text, "refusal": None}}
        return {**told, "text": text}

    def whole(self, kind: str, body: Body, value: Body) -> Body:
        return value

    def whole_reply(self, kind: str, body: Body, value: Body) -> Reply:
        return self.json(value)

    # --- streams

    def streamed(self, kind: str, body: Body, answers: list[tuple[list[str], str]], usage: Body) -> Reply:
        object_name = "chat.completion.chunk" if kind == "chat" else "text_completion"
        head = self.head(kind, body, object_name)
        entries = [
            entry
            for index, (pieces, reason) in enumerate(answers)
            for entry in self.entries(kind, body, index, pieces, reason)
        ]
        chunks = [{**head, "choices": [entry]} for entry in entries]
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks = [{**chunk, "usage": None} for chunk in chunks]
            chunks.append({**head, "choices": [], "usage": usage})
        return self.stream_reply(kind, body, self.chunks(kind, body, chunks, usage))

    def entries(self, kind: str, body: Body, index: int, pieces: list[str], reason: str) -> list[Body]:
        told: Body = {"index": index, "logprobs": None, "finish_reason": None}
        last = {**told, "finish_reason": reason}
        if kind == "text":
            return [*({**told, "text": piece} for piece in pieces), {**last, "text": ""}]
        first = {**told, "delta": {"role": "assistant", "content": ""}}
        return [first, *({**told, "delta": {"content": piece}} for piece in pieces), {**last, "delta": {}}]

    def chunks(self, kind: str, body: Body, chunks: list[Body], usage: Body) -> list[Body]:
        return chunks

    def frame(self, chunk: Body) -> bytes:
        return b"data: " + json.dumps(chunk).encode() + b"\n\n"

    def stream_reply(self, kind: str, body: Body, chunks: list[Body]) -> Reply:
        frames = [*map(self.frame, chunks), b"data: [DONE]\n\n"]
        return Reply(200, headers={"content-type": "text/event-stream"}, frames=frames)

    # --- tools

    def call_id(self) -> str:
        self.count += 1
        return f"call-{self.count}"

    def arguments(self) -> Any:
        return '{"place": "Paris"}'

    def tool_reason(self, body: Body) -> str:
        return "tool_calls"

    def tool_calls(self, body: Body) -> Reply:
        call = {
            "id": self.call_id(),
            "type": "function",
            "function": {"name": "weather", "arguments": self.arguments()},
        }
        reason = self.tool_reason(body)
        if not self.is_streamed(body):
            message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}
            choice = {"index": 0, "logprobs": None, "finish_reason": reason, "message": message}
            return self.json({**self.head("chat", body, "chat.completion"), "choices": [choice]})
        deltas = [
            {"role": "assistant", "content": None},
            *({"tool_calls": [one]} for one in self.call_pieces(call)),
            {},
        ]
        head = self.head("chat", body, "chat.completion.chunk")
        entries: list[Body] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
        entries[-1]["finish_reason"] = reason
        return self.stream_reply("chat", body, [{**head, "choices": [entry]} for entry in entries])

    def call_pieces(self, call: Body) -> list[Body]:
        whole = call["function"]["arguments"]
        first = {**call, "index": 0, "function": {"name": "weather", "arguments": ""}}
        return [first, *({"index": 0, "function": {"arguments": part}} for part in (whole[:5], whole[5:]))]
