"""The checks of handlers fail when what they are about is cut out."""

from __future__ import annotations

import inspect

import pytest

from modelport.engine import driving_async, tokens
from modelport.engine.attempt import Attempt
from modelport.engine.call import Call
from modelport.engine.stop import StopFilter
from modelport.models import handler as handlers
from modelport.models import handler_bridge, handler_calls, handler_chunks, handler_values
from modelport.models.handler_calls import HandlerMethod
from modelport.models.handler_values import HandlerEmbeddings
from modelport.runs.loops import LoopThread
from modelport.sdk import failures, request
from modelport.values.errors import HookError
from modelport.values.images import Image
from modelport.values.status_errors import InternalServerError
from modelport.values.usage import Usage
from modelport.wire.chunk_objects import ChatChunkObjects

cuts = pytest.mark.cuts
ARGUMENTS = (handler_calls.chat_arguments, handler_calls.embedding_arguments, handler_calls.image_arguments)


@pytest.fixture
def given(patch):
    """Changes what methods are given, by a function of all arguments."""

    def change(alter):
        for arguments_of in ARGUMENTS:

            def changed(*facts, arguments_of=arguments_of, **more):
                arguments = arguments_of(*facts, **more)
                alter(arguments)
                return arguments

            patch.everywhere(arguments_of, changed)

    return change


CHATS = ("invoke", "ainvoke", "stream", "astream")
FACES = ("completion", "acompletion", "completion-stream", "acompletion-stream")


def ways(variant, *names):
    """The ids of a check for some ways, or functions."""
    return [f"handler:{name}:{variant}" for name in names]


# --- what methods are given -----------------------------------------------------------------------


@cuts(*ways("answers", *CHATS), of="Completing")
@cuts(*ways("answers", *CHATS), of="Streaming")
def test_methods_are_called_twice(patch, caught):
    call = HandlerMethod.call

    def twice(self, handler, arguments):
        call(self, handler, arguments)
        return call(self, handler, arguments)

    patch.method(HandlerMethod, "call", twice)
    caught()


@cuts(*ways("keywords", *CHATS), of="Completing")
@cuts(*ways("keywords", *CHATS), of="Streaming")
def test_a_keyword_is_missing(given, caught):
    given(lambda arguments: arguments.pop("headers"))
    caught()


@cuts(*ways("keywords", *CHATS), of="AsyncStreaming")
@cuts("handler:*embedding:own-params", of="Embedding")
@cuts("handler:*image-generation:own-params", of="Drawing")
def test_a_method_gets_keywords_that_it_does_not_name(patch, caught):
    patch.method(HandlerMethod, "call", lambda self, handler, given: getattr(handler, self.name)(**given))
    caught()


@cuts(*ways("messages", *CHATS), of="Completing")
@cuts(*ways("messages", *CHATS), of="AsyncStreaming")
def test_messages_are_joined(given, caught):
    given(lambda arguments: arguments.update(messages=str(arguments["messages"])))
    caught()


@cuts(*ways("own-params", *CHATS, *FACES), of="Completing")
@cuts(*ways("own-params", *CHATS, *FACES), of="AsyncStreaming")
@cuts("handler:*embedding:own-params", of="Embedding")
@cuts("handler:*image-generation:own-params", "handler:*image-edit:own-params", of="Drawing")
def test_params_are_put_in(given, caught):
    given(lambda arguments: arguments["optional_params"].update(stream=False))
    caught()


@cuts(*ways("facts", *FACES), of="Completing")
@cuts(*ways("facts", *FACES), of="Streaming")
def test_the_timeout_is_made_up(given, caught):
    given(lambda arguments: arguments.update(headers={"X-Ours": "1"}))
    caught()


@cuts(*ways("fresh-response", *CHATS), of="Completing")
@cuts(*ways("fresh-response", *CHATS), of="AsyncCompleting")
def test_all_calls_fill_one_response(patch, caught):
    response = handler_calls.fresh_completion()
    patch.everywhere(handler_calls.fresh_completion, lambda: response)
    caught()


@cuts(*ways("fresh-response", *CHATS), of="Completing")
@cuts(*ways("fresh-response", *CHATS), of="AsyncCompleting")
def test_the_response_has_a_text_already(patch, caught):
    fresh = handler_calls.fresh_completion

    def filled():
        response = fresh()
        response.choices[0].message.content = ""
        return response

    patch.everywhere(fresh, filled)
    caught()


@cuts("handler:*:not-implemented", of="Nothing")
def test_missing_methods_are_no_error_of_their_own(patch, caught):
    patch.everywhere(handlers.not_implemented, lambda: RuntimeError("there is no such method"))
    caught()


# --- where methods run ----------------------------------------------------------------------------


@cuts("handler:*:own-loop", of="AsyncCompleting")
@cuts("handler:*:own-loop", of="AsyncStreaming")
def test_async_methods_run_on_the_callers_loop(patch, caught):
    patch.everywhere(driving_async._is_elsewhere, lambda attempt: False)
    caught()


@cuts("handler:*:company", of="AsyncStreaming")
def test_all_handlers_share_one_loop(patch, caught):
    loop = LoopThread("cut", 0)
    patch.everywhere(handler_bridge.loop_of_handler, lambda handler: loop)
    caught()


# --- what methods give ----------------------------------------------------------------------------


@cuts(*ways("result-text", *FACES), *ways("result-dict", *FACES), of="Completing")
@cuts(*ways("result-object", *FACES), *ways("result-filled", *FACES), of="AsyncCompleting")
@cuts(*ways("result-object", *FACES), *ways("result-filled", *FACES), of="Completing")
def test_answers_are_printed(patch, caught):
    patch.everywhere(handler_chunks.filled_text, lambda value: None)
    patch.everywhere(handler_chunks.answer_of, lambda value, *_: repr(value) if value else "")
    caught()


@cuts(*ways("result-without-usage", *FACES), of="Completing")
@cuts(*ways("result-without-usage", *FACES), of="AsyncCompleting")
def test_zero_is_taken_as_given(patch, caught):
    patch.everywhere(tokens.usage_of, lambda *given: Usage())
    caught()


@cuts(*ways("chunk*", *FACES), of="AsyncStreaming")
@cuts(*ways("chunk-single", *FACES), *ways("chunks-generic", *FACES), of="Streaming")
@cuts(*ways("chunks-object", *FACES), *ways("chunks-text", *FACES), of="Streaming")
def test_chunks_are_not_understood(patch, caught):
    patch.method(handler_chunks.ChunkReader, "read", lambda self, value: [])
    caught()


@cuts(*ways("chunk-single", *FACES), of="AsyncStreaming")
@cuts(*ways("chunk-single", *FACES), of="Streaming")
def test_a_chunk_is_iterated_over(patch, caught):
    patch.everywhere(handler_chunks.is_one_chunk, lambda value: False)
    caught()


@cuts(*ways("chunks-awaited", *FACES), of="AsyncStreaming")
def test_coroutines_are_no_streams(patch, caught):
    chunks_of = handler_chunks.achunks_of

    def refuse(value, label, **more):
        if inspect.iscoroutine(value):
            value.close()
            raise HookError(f"{label} returned a coroutine")
        return chunks_of(value, label, **more)

    patch.everywhere(chunks_of, refuse)
    caught()


# --- what the SDK's functions keep ----------------------------------------------------------------


@cuts(*ways("stop-excluded", *FACES), of="Completing")
@cuts(*ways("stop-excluded", *FACES), of="AsyncStreaming")
def test_stop_strings_are_not_looked_for(patch, caught):
    patch.method(StopFilter, "push", lambda self, text: text)
    caught()


@cuts(*ways("stop-excluded", *FACES), of="AsyncCompleting")
@cuts(*ways("stop-excluded", *FACES), of="Streaming")
def test_stop_strings_are_shown(patch, caught):
    start = StopFilter.__init__

    def including(self, stop, *, include):
        start(self, stop, include=True)

    patch.method(StopFilter, "__init__", including)
    caught()


@cuts(*ways("max-tokens", *FACES), of="Completing")
@cuts(*ways("max-tokens", *FACES), of="AsyncStreaming")
def test_there_is_no_budget(patch, caught):
    patch.method(Call, "_budget", lambda self, hook: None)
    caught()


@cuts(*ways("choices", *FACES), of="Completing")
@cuts(*ways("choices", *FACES), of="AsyncStreaming")
def test_there_is_one_choice(patch, caught):
    patch.everywhere(request.count_of, lambda value: 1)
    caught()


@cuts(*ways("deadline", *FACES), of="Completing")
@cuts(*ways("deadline", *FACES), of="AsyncStreaming")
def test_deadlines_are_ignored(patch, caught):
    patch.method(Attempt, "deadline", lambda self: None)
    caught()


@cuts(*ways("status", *FACES), of="Completing")
@cuts(*ways("status", *FACES), of="AsyncStreaming")
def test_all_failures_are_the_servers(patch, caught):
    patch.everywhere(failures.sdk_error, lambda error, model, **facts: InternalServerError("it failed"))
    caught()


@cuts(*ways("one-stream", "completion-stream", "acompletion-stream"), of="Completing")
@cuts(*ways("one-stream", "completion-stream", "acompletion-stream"), of="AsyncStreaming")
def test_chunks_are_told_twice(patch, caught):
    chunks = ChatChunkObjects.chunks
    patch.method(ChatChunkObjects, "chunks", lambda self, index, chunk: chunks(self, index, chunk) * 2)
    caught()


# --- embeddings and images ------------------------------------------------------------------------


@cuts("handler:*embedding:inputs", of="Embedding")
@cuts("handler:*embedding:inputs", of="Drawing")
def test_inputs_are_printed(given, caught):
    given(lambda arguments: arguments.update(input=[str(one) for one in arguments["input"]]))
    caught()


@cuts("handler:*embedding:results", "handler:*embedding:too-few", of="Embedding")
@cuts("handler:*embedding:results", "handler:*embedding:too-few", of="Drawing")
def test_vectors_are_made_up(patch, caught):
    patch.method(HandlerEmbeddings, "vectors_of", lambda self, value, texts, label: [[1.0, 2.0]] * len(texts))
    caught()


@cuts("handler:*image-generation:results", "handler:*image-generation:as-many", of="Drawing")
@cuts("handler:*image-edit:results", "handler:*image-edit:as-many", of="Drawing")
@cuts("handler:*image-generation:results", "handler:*image-generation:as-many", of="Sketching")
def test_images_are_made_up(patch, caught):
    from modelport.engine import pictures

    patch.everywhere(pictures._facts_of, lambda value: {"images": [value] * 2})
    patch.everywhere(pictures._image_from_hook, lambda value, label: Image(b"made up"))
    caught()


@cuts("handler:*image-edit:inputs", of="Drawing")
def test_images_are_given_as_they_are(patch, caught):
    patch.everywhere(handler_values._edited, lambda images, mask: {"image": images, "mask": mask})
    caught()
