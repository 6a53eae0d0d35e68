"""Keys."""

from __future__ import annotations

from modelport.testing.checks import NotApplicable, expect
from modelport.testing.wire.answers import Answer
from modelport.testing.wire.asking import Chat
from modelport.testing.wire.judging import expect_error_object, expect_refused
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server

SOURCE = "OpenAI: API reference, Authentication; RFC 9110, 15.5.2"
WRONG = "sk-wire-check-0123456789abcdefghijklmnopqrstuvwxyz"


@wire_check("wire-auth:missing:status", source=SOURCE)
async def missing_status(server: Server) -> None:
    """A request without key is refused with 401."""
    expect_refused(await _with(server, None), (401,))


@wire_check("wire-auth:missing:object", source="Error.required; OpenAI's SDKs read error.message")
async def missing_object(server: Server) -> None:
    """A request without key is refused with the four keys under `error`."""
    expect_error_object(await _with(server, None))


@wire_check("wire-auth:wrong:status", source=SOURCE)
async def wrong_status(server: Server) -> None:
    """A request with a wrong key is refused with 401."""
    expect_refused(await _with(server, f"Bearer {WRONG}"), (401,))


@wire_check("wire-auth:wrong:object", source="Error.required; OpenAI's SDKs read error.message")
async def wrong_object(server: Server) -> None:
    """A request with a wrong key is refused with the four keys under `error`."""
    expect_error_object(await _with(server, f"Bearer {WRONG}"))


@wire_check("wire-auth:wrong:secret", source="OWASP ASVS 7.1.1: secrets are not logged or shown")
async def wrong_secret(server: Server) -> None:
    """The refusal of a wrong key does not repeat the key."""
    answer = await _with(server, f"Bearer {WRONG}")
    expect(WRONG not in answer.text, f"{answer.shown}", "leave the key out of messages: logs keep them")


@wire_check("wire-auth:wrong:first", source="RFC 9110, 15.5.2: credentials come before the content")
async def wrong_first(server: Server) -> None:
    """A wrong key is refused as such also when the body is wrong."""
    await _required(server)
    headers = {"authorization": f"Bearer {WRONG}"}
    answer = await server.ask("POST", Chat.path, {"messages": 7}, headers=headers)
    expect(answer.status in (401, 403), f"{answer.shown}, not 401", "look at the key before the body")


@wire_check("wire-auth:right:scheme-case", source="RFC 9110, 11.1: the scheme is case-insensitive")
async def scheme_case(server: Server) -> None:
    """The scheme may be written `bearer`."""
    answer = await _with(server, f"bearer {server.key}")
    expect(answer.status == 200, answer.shown, "compare the scheme without case")


async def _required(server: Server) -> Answer:
    """The answer to a request without key, of a server that requires one."""
    if server.key is None:
        raise NotApplicable("no key was given to check with")
    answer: Answer = await server.known("no key", lambda: _ask(server, None))
    if answer.status == 200:
        raise NotApplicable("the server answers without a key")
    return answer


async def _with(server: Server, authorization: str | None) -> Answer:
    without = await _required(server)
    return without if authorization is None else await _ask(server, authorization)


async def _ask(server: Server, authorization: str | None) -> Answer:
    body = await Chat(server).body()
    return await server.ask("POST", Chat.path, body, headers={"authorization": authorization})
