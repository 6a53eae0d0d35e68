"""What the served models share: telling the test what happens, and answers in LiteLLM's form."""

import os
import time

from modelport import LLM

_pipe = os.open(os.environ["SAID"], os.O_WRONLY)


def say(who, what):
    os.write(_pipe, f"{who} {what} {time.monotonic()}\n".encode())


def chunk(text):
    return {"text": text, "is_finished": False, "finish_reason": None, "index": 0, "tool_use": None, "usage": None}


class Model(LLM):
    chat_template: str | None = "last"
