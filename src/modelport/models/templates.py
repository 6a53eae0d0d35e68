"""Chat templates: how a text model sees a list of messages.

Named ones are plain functions here; a text with `{{` or `{%` is a Jinja2 template (`jinja_templates`). All end with
what starts the model's answer. Tool calls of earlier answers are left out by the named ones: write a Jinja2 template
for a model that was trained on tools.

What messages say is put in as it is. A user who writes `<|im_end|>` writes what a tokenizer may read as the end of the
turn, and so can pose as the system: tokenise with special tokens off for untrusted text, or refuse such messages,
where that matters.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from modelport.values.errors import InputError
from modelport.values.messages import Message
from modelport.values.prompt_values import flatten_messages


def last(messages: Sequence[Message]) -> str:
    """Return the last message's text; the ones before it are not seen."""
    return text_only(messages[-1]) if messages else ""


def chatml(messages: Sequence[Message]) -> str:
    r"""Return `<|im_start|>user\n…<|im_end|>\n` for each message (Qwen, Hermes, SmolLM and others)."""
    turns = [f"<|im_start|>{message.role}\n{text_only(message)}<|im_end|>\n" for message in messages]
    return "".join([*turns, "<|im_start|>assistant\n"])


def llama3(messages: Sequence[Message]) -> str:
    """Return Llama 3's header format, from `<|begin_of_text|>` on; the role of tools is `ipython` there.

    A tokenizer that puts the first token before every prompt by itself must be told not to.
    """
    turns = [
        f"<|start_header_id|>{'ipython' if message.role == 'tool' else message.role}<|end_header_id|>\n\n"
        f"{text_only(message).strip()}<|eot_id|>"
        for message in messages
    ]
    return "".join(["<|begin_of_text|>", *turns, "<|start_header_id|>assistant<|end_header_id|>\n\n"])


def gemma(messages: Sequence[Message]) -> str:
    r"""Return `<start_of_turn>user\n…<end_of_turn>\n` for each message, with `model` as the role of answers.

    Gemma has no system role: what the system says stands before the next user's text. `<bos>` is left to the
    tokenizer, as Gemma's documentation does.
    """
    turns: list[str] = []
    system: list[str] = []
    for message in messages:
        text = text_only(message).strip()
        if message.role == "system":
            system.append(text)
        elif message.role == "assistant":
            turns.append(f"<start_of_turn>model\n{text}<end_of_turn>\n")
        else:
            turns.append(f"<start_of_turn>user\n{_paragraphs([*system, text])}<end_of_turn>\n")
            system = []
    if system:
        turns.append(f"<start_of_turn>user\n{_paragraphs(system)}<end_of_turn>\n")
    return "".join([*turns, "<start_of_turn>model\n"])


def mistral(messages: Sequence[Message]) -> str:
    """Return `<s>[INST] …[/INST] …</s>`, the format of Mistral's tokenizer V3.

    There is no system role: what the system says stands before the last user's text, as Mistral does it. A tokenizer
    that puts the first token before every prompt by itself must be told not to.
    """
    system = [text_only(message) for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    last_user = max((place for place, message in enumerate(others) if message.role == "user"), default=-1)
    turns = ["<s>"]
    for place, message in enumerate(others):
        text = text_only(message)
        if message.role == "assistant":
            turns.append(f" {text}</s>")
        else:
            turns.append(f"[INST] {_paragraphs([*system, text]) if place == last_user else text}[/INST]")
    if system and last_user < 0:
        turns.append(f"[INST] {_paragraphs(system)}[/INST]")
    return "".join(turns)


CHAT_TEMPLATES: dict[str, Callable[[Sequence[Message]], str]] = {
    "chatml": chatml,
    "gemma": gemma,
    "last": last,
    "llama3": llama3,
    "mistral": mistral,
}
"""The named chat templates."""


def apply_chat_template(
    template: str | None, messages: Sequence[Message], *, bos_token: str = "", eos_token: str = ""
) -> str:
    r"""Return the prompt of messages; without a template `System: …\nHuman: …`.

    Args:
        template: A name, a Jinja2 template, or None.
        messages: Oldest first.
        bos_token: What a Jinja2 template finds under this name.
        eos_token: As `bos_token`.

    Raises:
        InputError: No template has that name, a message has a part that is no text, or a Jinja2 template is wrong or
            refuses the messages.
        MissingExtraError: The template is a Jinja2 one, and Jinja2 is not installed.
    """
    if template is None:
        return flatten_messages(messages)
    apply = CHAT_TEMPLATES.get(template)
    if apply is not None:
        return apply(messages)
    check_chat_template(template)
    from modelport.models.jinja_templates import render

    return render(template, [(message, text_only(message)) for message in messages], bos_token, eos_token)


def check_chat_template(template: str | None) -> None:
    """Refuse a chat template that no call could use.

    Raises:
        InputError: It is neither a name nor a Jinja2 template, or that template's syntax is wrong.
        MissingExtraError: The template is a Jinja2 one, and Jinja2 is not installed.
    """
    if template is None or template in CHAT_TEMPLATES:
        return
    if "{{" in template or "{%" in template:
        from modelport.models.jinja_templates import compiled

        compiled(template)
        return
    near = difflib.get_close_matches(template, CHAT_TEMPLATES, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"{template!r:.100} is no chat template; known: {', '.join(CHAT_TEMPLATES)}, or a Jinja2 template, which has "
        f"'{{{{' or '{{%' in it{hint}"
    )


def text_only(message: Message) -> str:
    """Return a message's text.

    Raises:
        InputError: It has a part that is no text, which a text model could not see.
    """
    if not isinstance(message.content, str):
        flatten_messages([message])  # refuses such parts
    return message.text


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n\n".join(texts)
