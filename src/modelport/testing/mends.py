"""What a failing check says about mending when it knows nothing closer: one sentence for each area, and for topics.

A topic is a check without its way to call: `stop:cut` is that of `stop:stream:cut`.
"""

from __future__ import annotations

_IN_THE_MODEL = "the framework keeps this for every hook, so look at what the class overrides or does in its hook: "

MENDS: dict[str, str] = {
    "derive": f"{_IN_THE_MODEL}a method of the framework's that the class replaces, or a client bound to one loop "
    "(`single_loop = True`, `loop_local`)",
    "derive:answers": "make the hook itself answer first: `modelport call` shows what it raises, and where; prompts of "
    "your own are given by `--prompt`, in Python by `prompts=`",
    "parity": "make every hook answer alike, or say `deterministic = False`",
    "stop": f"{_IN_THE_MODEL}end the answer at the first of `stop`, or leave `stop` out of the signature",
    "order": f"{_IN_THE_MODEL}yield each piece by itself, and call `run_manager.on_llm_new_token` only in `_call`",
    "batch": f"{_IN_THE_MODEL}return one result for each prompt, in order, and an exception in the slot that failed",
    "cancel": "let GeneratorExit and CancelledError pass through the hook, and free what it holds in a `finally`",
    "deadline": "ask `run_manager.remaining_seconds` or `run_manager.cancelled` where the hook waits for something",
    "usage": "report what the model counts by `run_manager.report_usage(…)`, or write `_count_tokens`",
    "choices": "leave `n` out of the hook's signature and of `supports` unless one call really gives n choices",
    "secrets": "declare the key as `SecretStr`, and ask for its value only where it is sent",
    "errors": "let the hook raise its own exception, and name the keywords that it takes",
    "unicode": "give `str`, or the bytes as they come; do not decode pieces of bytes by yourself",
    "threads": "keep what belongs to one call in the hook's variables, not on the model nor in a module",
    "identity": "leave `__eq__`, `__hash__`, `__str__`, `__repr__` and `__setattr__` to the framework; what cannot be "
    "copied (a client, a lock) is made in `_load`",
    "cache": "put what tells two models apart into declared fields or `_identifying_params`",
    "compose": "raise the hook's own exception before its first piece, so that a retry or a fallback may take over",
    "embedding": "return one list of floats for each text, in order, all of one length",
    "image": "return bytes, a path, base64, a URL or an `Image` for each image",
    "handler": "take the keywords that LiteLLM gives by name or by `**kwargs`, and return OpenAI's shapes or a text",
    "checklist": "see the checklist of the custom LLM guide",
    "printing": "let `_identifying_params` return a dict of what tells this model from others, without secrets",
    "input": "look at what the hook does with its prompt before the model gets it: an index, a slice, a length limit",
}
"""By area, and by topic where there is more to say."""


def mend_for(area: str, variant: str) -> str:
    """Return how what a check is about is mended."""
    return MENDS.get(f"{area}:{variant}", MENDS[area])
