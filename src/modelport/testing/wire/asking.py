"""Asking for answers of text: the chat endpoint and the completions endpoint, in one way."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, ClassVar

from modelport.testing.checks import CheckFailure, NotApplicable
from modelport.testing.wire.answers import Answer, Streamed, text_of
from modelport.testing.wire.server import Server, Unanswered

Body = dict[str, Any]

QUESTION = "Repeat these words: one two three four five six seven eight nine ten"
"""What is asked where nothing else is said; an echo and a language model both have some words to answer."""
MAX_TOKENS = 24
"""How long answers may be where it does not matter: checks ask often."""
OMIT: Any = object()
"""As a field's value: leave the field out."""
MANY_MODELS = 8
"""How many of the listed models are tried for an endpoint."""
NOT_THERE = (400, 403, 404, 405, 415, 501)
"""How a server says that it, or its model, has no such endpoint."""


class Endpoint:
    """Asks one endpoint of a server.

    Args:
        server: The server.
    """

    name: ClassVar[str]
    """Its name in a check's id."""
    path: ClassVar[str]
    """Its path below the base URL."""

    def __init__(self, server: Server) -> None:
        self.server = server
        """The server."""

    def bodies_for(self, model: str) -> list[Body]:
        """Return bodies of right requests to a model; the first one that is answered is asked from then on."""
        raise NotImplementedError

    async def first_answer(self) -> Answer:
        """Return the first right answer to a right request, or the wrong one to the likeliest."""
        answer, _ = await self._first()
        return answer

    async def _first(self) -> tuple[Answer, Body]:
        found: tuple[Answer, Body] = await self.server.known(f"{self.path} first", self._find)
        return found

    async def _find(self) -> tuple[Answer, Body]:
        refused: list[tuple[Answer, Body]] = []
        for model in await self.candidates():
            for body in self.bodies_for(model):
                answer = await self.server.ask("POST", self.path, body)
                if answer.status == 200:
                    return answer, body
                refused.append((answer, body))
        return refused[0]

    async def candidates(self) -> list[str]:
        """Return the models that may answer here, the likeliest first."""
        listed = (await self.server.listed())[:MANY_MODELS]
        named = self.server.asked_model
        return listed or ["default"] if named is None else [named, *(one for one in listed if one != named)]

    async def right_body(self) -> Body:
        """Return a right body, to a model that answers here.

        Raises:
            NotApplicable: No model answers; how the server says so is in the words.
        """
        try:
            answer, body = await self._first()
        except Unanswered as failure:
            raise NotApplicable(f"{self.path} does not answer: {failure.seen}") from None
        if answer.status != 200:
            missing = "the server has none" if answer.status in NOT_THERE else "no model answers a right request there"
            raise NotApplicable(f"{missing}: {answer.shown}")
        return body

    async def body(self, **fields: Any) -> Body:
        """Return a right body with some fields changed, added, or left out (`OMIT`).

        Raises:
            NotApplicable: No model answers here.
        """
        merged = {**await self.right_body(), **fields}
        return {name: value for name, value in merged.items() if value is not OMIT}

    async def ask(self, **fields: Any) -> Answer:
        """Ask with some fields changed; see `body`."""
        return await self.server.ask("POST", self.path, await self.body(**fields))


class Generation(Endpoint):
    """Asks an endpoint that gives texts, whole and in pieces."""

    def asking(self, text: str) -> Body:
        """Return the fields that ask a text."""
        raise NotImplementedError

    def bodies_for(self, model: str) -> list[Body]:
        """Return bodies of right requests: a short answer that is always the same; some models take no such options."""
        plain = {"model": model, **self.asking(QUESTION)}
        return [{**plain, "temperature": 0, "max_tokens": MAX_TOKENS}, plain]

    async def stream(self, **fields: Any) -> Streamed:
        """Ask for a stream, with some fields changed; see `body`."""
        return await self.server.stream(self.path, await self.body(stream=True, **fields))

    async def whole(self) -> Answer:
        """Return the answer to the usual question: a 200 that has a text.

        Raises:
            NotApplicable: There is no such answer; a check of its own says so.
        """
        await self.right_body()
        answer = await self.first_answer()
        if text_of(answer.json) is None:
            raise NotApplicable(f"a right request is not answered with a text: {answer.shown}")
        return answer

    async def text(self) -> str:
        """Return the text of the usual question's answer; raises NotApplicable when there is none."""
        text = text_of((await self.whole()).json)
        if not text:
            raise NotApplicable("the answer to the usual question has no text")
        return text

    async def settled_text(self, *, words: int = 1) -> str:
        """Return the text that the usual question is always answered with.

        Args:
            words: How many words it must have at least.

        Raises:
            NotApplicable: A second answer differs, or it is too short.
        """

        async def ask_again() -> str | None:
            return text_of((await self.ask()).json)

        text = await self.text()
        if text != await self.server.known(f"{self.path} again", ask_again):
            raise NotApplicable("at temperature 0 the same question has different answers")
        if len(text.split()) < words:
            raise NotApplicable(f"the usual question's answer is too short to tell: {text!r:.80}")
        return text

    async def confirm_settled(self) -> None:
        """Raise NotApplicable when the usual question is by now answered differently; called before a finding."""
        if text_of((await self.ask()).json) != await self.text():
            raise NotApplicable("at temperature 0 the same question has different answers")

    async def streamed(self) -> Streamed:
        """Return the usual question's answer as a stream: a 200 with chunks.

        Raises:
            NotApplicable: There is none; a check of its own says so.
        """
        try:
            answer: Streamed = await self.server.known(f"{self.path} stream", self.stream)
        except Unanswered as failure:
            raise NotApplicable(f"there is no stream: {failure.seen}") from None
        if answer.status != 200 or not answer.chunks:
            raise NotApplicable(f"there is no stream: {answer.shown}")
        return answer

    async def streamed_with_usage(self) -> Streamed:
        """Return a stream for which usage was asked; raises NotApplicable when there is none."""

        async def ask_usage() -> Streamed:
            return await self.stream(stream_options={"include_usage": True})

        await self.streamed()
        answer: Streamed = await self.server.known(f"{self.path} usage", ask_usage)
        if answer.status != 200 or not answer.chunks:
            raise NotApplicable(f"there is no stream when usage is asked for: {answer.shown}")
        return answer


class Chat(Generation):
    """Asks /chat/completions."""

    name = "chat"
    path = "/chat/completions"

    def asking(self, text: str) -> Body:
        """Return the fields that ask a text: one message of the user."""
        return {"messages": [{"role": "user", "content": text}]}


class Completions(Generation):
    """Asks /completions."""

    name = "text"
    path = "/completions"

    def asking(self, text: str) -> Body:
        """Return the fields that ask a text: the prompt."""
        return {"prompt": text}

    async def candidates(self) -> list[str]:
        """Return the models that may answer here; the one that was named comes first, then the one that chats."""
        try:
            chats = [(await Chat(self.server).right_body())["model"]]
        except NotApplicable:
            chats = []
        named = [] if self.server.asked_model is None else [self.server.asked_model]
        return list(dict.fromkeys([*named, *chats, *await super().candidates()]))


class Embeddings(Endpoint):
    """Asks /embeddings."""

    name = "embedding"
    path = "/embeddings"

    def bodies_for(self, model: str) -> list[Body]:
        """Return the body of a right request to a model: two texts."""
        return [{"model": model, "input": ["one", "the number two"]}]


class Images(Endpoint):
    """Asks /images/generations."""

    name = "image"
    path = "/images/generations"

    def bodies_for(self, model: str) -> list[Body]:
        """Return the body of a right request to a model."""
        return [{"model": model, "prompt": "a red square"}]


async def expect_named_model(server: Server) -> None:
    """Fail when the model that was named answers nowhere, while others answer in its place."""
    named = server.asked_model
    if named is None or (await Chat(server).first_answer()).status != 200:
        return
    for endpoint in (Chat, Completions, Embeddings, Images):
        with suppress(NotApplicable):
            if (await endpoint(server).right_body())["model"] == named:
                return
    answer = await server.ask("POST", Chat.path, Chat(server).bodies_for(named)[0])
    known = ", ".join((await server.listed())[:MANY_MODELS])
    raise CheckFailure(
        f"nothing answers for {named!r}: {answer.shown}", f"name a model that it has (`--model`): {known}"
    )
