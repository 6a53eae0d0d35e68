"""The list of models."""

from __future__ import annotations

from urllib.parse import quote

from modelport.testing.checks import NotApplicable, expect, expect_equal
from modelport.testing.wire.answers import Answer, objects_of
from modelport.testing.wire.judging import SPEC, expect_shape, mend_at_the_door
from modelport.testing.wire.registry import wire_check
from modelport.testing.wire.server import Server, Unanswered

SOURCE = SPEC.format("listModels, ListModelsResponse")
RETRIEVE = SPEC.format("retrieveModel, Model")
MILLISECONDS = 100_000_000_000


@wire_check("wire-models:list:answers", source=SOURCE)
async def answers(server: Server) -> None:
    """GET /models answers 200 with `{"object": "list", "data": [...]}`, and `data` has a model."""
    answer = await server.listing()
    mend = "serve GET /v1/models: clients ask it which ids they may call"
    expect(answer.status == 200, answer.shown, mend_at_the_door(answer, mend))
    expect(isinstance(answer.object.get("data"), list), f"{answer.shown}: no list under `data`", mend)
    expect(await server.listed(), f"{answer.shown}: no model with an id", mend)


@wire_check("wire-models:list:shape", source=SOURCE)
async def shape(server: Server) -> None:
    """Each listed model has id, object, created and owned_by, as OpenAI's schema says."""
    value = (await _right_list(server)).json
    for kind in ("wrong", "null", "absent"):
        expect_shape([value], "ListModelsResponse", kind)


@wire_check("wire-models:list:ids-differ", source=SOURCE)
async def ids_differ(server: Server) -> None:
    """No two listed models have the same id."""
    await _right_list(server)
    ids = await server.listed()
    twice = sorted({one for one in ids if ids.count(one) > 1})
    expect(not twice, f"listed more than once: {twice!r:.200}", "list each model once")


@wire_check("wire-models:list:created-seconds", source=SOURCE)
async def created_seconds(server: Server) -> None:
    """`created` of a listed model counts seconds, not milliseconds."""
    times = [one.get("created") for one in objects_of((await _right_list(server)).object["data"])]
    wrong = [one for one in times if isinstance(one, int | float) and one > MILLISECONDS]
    expect(not wrong, f"`created` is {wrong[:1]}", "give Unix seconds")


@wire_check("wire-models:retrieve:answers", source=RETRIEVE)
async def retrieve(server: Server) -> None:
    """GET /models/{id} answers with the entry of the list, also for ids with slashes."""
    await _right_list(server)
    ids = await server.listed()
    for name in [one for one in ids if "/" in one][:1] or ids[:1]:
        answer = await server.ask("GET", f"/models/{quote(name)}")
        mend = "serve GET /v1/models/{id}, with a path parameter that takes slashes"
        expect(answer.status == 200, answer.shown, mend)
        expect_equal(answer.object.get("id"), name, "the id of the retrieved model", mend)


@wire_check("wire-models:retrieve:shape", source=RETRIEVE)
async def retrieve_shape(server: Server) -> None:
    """The retrieved model has the shape of OpenAI's Model."""
    await _right_list(server)
    answer = await server.ask("GET", f"/models/{quote((await server.listed())[0])}")
    if answer.status != 200:
        raise NotApplicable(f"it is not there: {answer.shown}")
    for kind in ("wrong", "null", "absent"):
        expect_shape([answer.json], "Model", kind)


@wire_check("wire-models:retrieve:unknown", source=RETRIEVE)
async def retrieve_unknown(server: Server) -> None:
    """GET /models/{id} answers 404 for a model that is not there."""
    answer = await server.ask("GET", "/models/no-such-model-0")
    mend = mend_at_the_door(answer, "answer 404 with code `model_not_found`")
    expect(answer.status == 404, f"{answer.shown}, not 404", mend)


async def _right_list(server: Server) -> Answer:
    try:
        answer = await server.listing()
    except Unanswered as failure:
        raise NotApplicable(f"there is no list of models: {failure.seen}") from None
    if answer.status != 200 or not await server.listed():
        raise NotApplicable(f"there is no list of models: {answer.shown}")
    return answer
