"""A chat model that streams: it sees messages with roles, and answers word by word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from modelport import ChatModel, HumanMessage, SystemMessage
from modelport.values.messages import Message


class Greeter(ChatModel):
    """Greets who wrote last, in the manner that the system message asks for."""

    greeting: str = "Hello"
    """The first word of every answer."""

    async def _astream(self, messages: list[Message]) -> AsyncIterator[str]:
        manner = "".join(m.text for m in messages if isinstance(m, SystemMessage))
        answer = f"{self.greeting}, you said: {messages[-1].text}"
        for word in answer.split(" "):
            await asyncio.sleep(0)  # a real model waits for its server here
            yield (word.upper() if "loud" in manner else word) + " "

    def _count_tokens(self, text: str) -> int:
        return len(text.split())


async def main() -> None:
    """Stream one answer, then ask for two at once."""
    model = Greeter(greeting="Good day")
    async with aclosing(model.astream([SystemMessage("Be loud."), HumanMessage("hi")])) as chunks:
        async for chunk in chunks:
            print(chunk.text or chunk.response_metadata["finish_reason"], end="|", flush=True)
    print()
    for answer in await model.abatch(["one", "two"]):
        print(answer.text, answer.usage_metadata)


if __name__ == "__main__":
    asyncio.run(main())
