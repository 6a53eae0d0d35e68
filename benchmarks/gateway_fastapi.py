"""The models of the gateway benchmark as a server that one writes oneself with FastAPI and pydantic."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from secrets import compare_digest
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from gateway_tokens import DELAYS_SECONDS, KEY, paced


class Message(BaseModel):
    """A message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class ChatRequest(BaseModel):
    """What a client asks."""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)


class Choice(BaseModel):
    """One answer."""

    index: int
    message: Message
    finish_reason: str | None = None


class Usage(BaseModel):
    """How many tokens it took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """The whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage


class Delta(BaseModel):
    """What a chunk adds."""

    role: str | None = None
    content: str | None = None


class ChunkChoice(BaseModel):
    """A chunk of one answer."""

    index: int
    delta: Delta
    finish_reason: str | None = None


class Chunk(BaseModel):
    """A piece of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]


app = FastAPI()
_bearer = HTTPBearer()


def check_key(given: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> None:
    """Refuse who has no key."""
    if not compare_digest(given.credentials, KEY):
        raise HTTPException(401, "the key is not known")


@app.get("/health/live")
async def live() -> dict[str, str]:
    """Tell that the server runs."""
    return {"status": "live"}


@app.post("/v1/chat/completions", dependencies=[Depends(check_key)], response_model=Completion)
async def chat(request: ChatRequest) -> Completion | StreamingResponse:
    """Answer one chat request."""
    text = request.messages[-1].content
    answer_id, created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
    if request.stream:
        return StreamingResponse(_events(request.model, text, answer_id, created), media_type="text/event-stream")
    usage = Usage(prompt_tokens=len(text), completion_tokens=len(text), total_tokens=2 * len(text))
    choice = Choice(index=0, message=Message(role="assistant", content=text), finish_reason="stop")
    return Completion(id=answer_id, created=created, model=request.model, choices=[choice], usage=usage)


async def _tokens(model: str, text: str) -> AsyncIterator[str]:
    if model in DELAYS_SECONDS:
        async for token in paced(int(text), DELAYS_SECONDS[model]):
            yield token
    else:
        for token in text:
            yield token


async def _events(model: str, text: str, answer_id: str, created: int) -> AsyncIterator[str]:
    def event(delta: Delta, finish_reason: str | None = None) -> str:
        choice = ChunkChoice(index=0, delta=delta, finish_reason=finish_reason)
        return f"data: {Chunk(id=answer_id, created=created, model=model, choices=[choice]).model_dump_json()}\n\n"

    yield event(Delta(role="assistant", content=""))
    async for token in _tokens(model, text):
        yield event(Delta(content=token))
    yield event(Delta(), "stop")
    yield "data: [DONE]\n\n"
