"""`get_graph()`: nodes and edges beside real langchain-core, and the drawings."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import langchain_core.language_models as their_models
import langchain_core.output_parsers as their_parsers
import langchain_core.prompts as their_prompts
import langchain_core.runnables as their_runnables
import pytest

import modelport
from modelport.runnables.graph import Graph
from modelport.values.errors import MissingExtraError


def model(llm: Any) -> Any:
    class CustomLLM(llm):
        @property
        def _llm_type(self) -> str:
            return "custom"

        def _call(self, prompt: str, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> str:
            return prompt

    return CustomLLM


def of(lib: Any, base: Any, parsers: Any, prompts: Any, runnables: Any) -> SimpleNamespace:
    return SimpleNamespace(
        name=lib,
        LLM=model(base),
        Prompt=prompts.ChatPromptTemplate,
        Text=prompts.PromptTemplate,
        Parser=parsers.StrOutputParser,
        Lambda=runnables.RunnableLambda,
        Parallel=runnables.RunnableParallel,
        Passthrough=runnables.RunnablePassthrough,
        Branch=runnables.RunnableBranch,
    )


OURS = of("ours", modelport.LLM, modelport, modelport, modelport)
THEIRS = of("theirs", their_models.LLM, their_parsers, their_prompts, their_runnables)


def upper(text: str) -> str:
    return text.upper()


def is_long(text: str) -> bool:
    return len(text) > 9


def prompt(lib: Any) -> Any:
    return lib.Prompt.from_messages([("human", "{q}")])


CHAINS: dict[str, Callable[[Any], Any]] = {
    "llm": lambda lib: lib.LLM(),
    "prompt": prompt,
    "text-prompt": lambda lib: lib.Text.from_template("{q}"),
    "prompt-llm": lambda lib: prompt(lib) | lib.LLM(),
    "prompt-llm-parser": lambda lib: prompt(lib) | lib.LLM() | lib.Parser(),
    "lambda": lambda lib: lib.Lambda(upper),
    "unnamed-lambda": lambda lib: lib.LLM() | lib.Lambda(lambda text: text),
    "bound": lambda lib: prompt(lib) | lib.LLM().bind(stop=["x"]) | lib.Lambda(upper),
    "configured": lambda lib: (prompt(lib) | lib.LLM()).with_config(run_name="named"),
    "parallel": lambda lib: lib.Parallel(a=prompt(lib) | lib.LLM(), b=lib.Lambda(upper)),
    "dict-in-a-chain": lambda lib: prompt(lib) | {"x": lib.LLM(), "y": lib.LLM() | upper},
    "dict-between": lambda lib: prompt(lib) | {"x": lib.LLM(), "y": lib.Lambda(upper)} | lib.Lambda(upper),
    "dict-of-one": lambda lib: prompt(lib) | {"x": lib.LLM()} | lib.Lambda(upper),
    "passthrough": lambda lib: lib.Passthrough() | lib.LLM(),
    "retry": lambda lib: prompt(lib) | lib.LLM().with_retry() | lib.Parser(),
    "typed": lambda lib: lib.Lambda(upper).with_types(input_type=int),
}


def shape(graph: Any) -> tuple[list[str], list[tuple[str, str]]]:
    names = {key: node.name for key, node in graph.nodes.items()}
    return sorted(names.values()), sorted((names[edge.source], names[edge.target]) for edge in graph.edges)


@pytest.mark.parametrize("name", CHAINS)
def test_nodes_and_edges_are_langchains(name: str) -> None:
    ours = shape(CHAINS[name](OURS).get_graph())
    assert ours == shape(CHAINS[name](THEIRS).get_graph())
    assert len(ours[0]) >= 3


@pytest.mark.parametrize("name", [name for name in CHAINS if name not in {"llm", "parallel"}])
def test_names_and_plain_types_of_schemas_are_langchains(name: str) -> None:
    ours, theirs = CHAINS[name](OURS), CHAINS[name](THEIRS)
    for way in ("get_input_schema", "get_output_schema"):
        one, other = getattr(ours, way)(), getattr(theirs, way)()
        assert one.__name__ == other.__name__
        schema = other.model_json_schema()
        if "$defs" not in schema:  # their messages and prompt values are other ones
            assert one.model_json_schema() == schema


def test_nodes_hold_what_they_stand_for() -> None:
    chain = CHAINS["prompt-llm"](OURS)
    graph = chain.get_graph()
    assert list(graph.nodes) == ["PromptInput", "ChatPromptTemplate", "CustomLLM", "CustomLLMOutput"]
    assert graph.nodes["CustomLLM"].data is chain.steps[1]
    assert graph.nodes["CustomLLMOutput"].data.model_json_schema() == {"title": "CustomLLMOutput", "type": "string"}
    assert [graph.first_node().id, graph.last_node().id] == ["PromptInput", "CustomLLMOutput"]


def test_steps_of_one_name_have_ids_of_their_own() -> None:
    graph = (OURS.LLM() | OURS.LLM() | OURS.LLM()).get_graph()
    assert list(graph.nodes) == ["CustomLLMInput", "CustomLLM", "CustomLLM_2", "CustomLLM_3", "CustomLLMOutput"]


def test_a_branch_goes_to_its_steps_only_sometimes() -> None:
    branch = OURS.Branch((is_long, OURS.LLM()), OURS.Lambda(upper))
    graph = (prompt(OURS) | branch | OURS.Parser()).get_graph()
    edges = {(edge.source, edge.target): (edge.conditional, edge.data) for edge in graph.edges}
    assert edges == {
        ("PromptInput", "ChatPromptTemplate"): (False, None),
        ("ChatPromptTemplate", "Branch"): (False, None),
        ("Branch", "CustomLLM"): (True, "is_long"),
        ("Branch", "upper"): (True, "default"),
        ("CustomLLM", "StrOutputParser"): (False, None),
        ("upper", "StrOutputParser"): (False, None),
        ("StrOutputParser", "StrOutputParserOutput"): (False, None),
    }


def test_assigned_keys_go_beside_what_passes_through() -> None:
    graph = OURS.Passthrough.assign(k=OURS.LLM()).get_graph()
    assert shape(graph)[1] == sorted([
        ("Assign<k>Input", "CustomLLM"),
        ("Assign<k>Input", "Passthrough"),
        ("CustomLLM", "Assign<k>Output"),
        ("Passthrough", "Assign<k>Output"),
    ])  # fmt: skip


@pytest.mark.parametrize("wrap", ["with_retry", "with_timeout", "with_fallbacks"])
def test_a_wrapper_shows_what_is_in_it(wrap: str) -> None:
    arguments: dict[str, Any] = {"with_timeout": {"timeout": 3}, "with_fallbacks": {"fallbacks": [OURS.Lambda(upper)]}}
    graph = getattr(prompt(OURS) | OURS.LLM(), wrap)(**arguments.get(wrap, {})).get_graph()
    assert {"ChatPromptTemplate", "CustomLLM"} <= {node.name for node in graph.nodes.values()}
    assert ("upper" in graph.nodes) == (wrap == "with_fallbacks")


# ── Mermaid ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_graph_is_written_as_mermaid() -> None:
    assert CHAINS["prompt-llm"](OURS).get_graph().draw_mermaid(with_styles=False) == (
        "graph TD;\n"
        '    PromptInput("PromptInput")\n'
        '    ChatPromptTemplate("ChatPromptTemplate")\n'
        '    CustomLLM("CustomLLM")\n'
        '    CustomLLMOutput("CustomLLMOutput")\n'
        "    PromptInput --> ChatPromptTemplate;\n"
        "    ChatPromptTemplate --> CustomLLM;\n"
        "    CustomLLM --> CustomLLMOutput;\n"
    )


def test_the_ends_are_styled() -> None:
    drawn = CHAINS["prompt-llm"](OURS).get_graph().draw_mermaid()
    assert '    PromptInput(["PromptInput"]):::first\n' in drawn
    assert '    CustomLLMOutput(["CustomLLMOutput"]):::last\n' in drawn
    assert "classDef first" in drawn


def test_conditional_edges_are_dotted_and_say_when() -> None:
    drawn = OURS.Branch((is_long, OURS.LLM()), OURS.Lambda(upper)).get_graph().draw_mermaid()
    assert '    Branch -. "is_long" .-> CustomLLM;' in drawn


HOSTILE = [
    '"]; click x',
    "a<b>&c",
    "end",
    "x;y",
    "``code``",
    "#quot;",
    "two\nlines",
    "[bold]no[/bold]",
    "3",
    "é",
    "(",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_cannot_break_the_text(name: str) -> None:
    graph = (OURS.Lambda(upper, name=name or None) | OURS.LLM()).get_graph()
    lines = graph.draw_mermaid(with_styles=False).splitlines()
    assert len(lines) == 1 + len(graph.nodes) + len(graph.edges)
    for line in lines[1 : 1 + len(graph.nodes)]:
        found = re.fullmatch(r'    (\w+)\("([^"<>`;\\]|#\w+;|;)*"\)', line, re.ASCII)
        assert found is not None
        assert found.group(1).lower() not in {"end", "graph", "class"}
        assert not found.group(1)[0].isdigit()


def test_escaped_names_are_the_names() -> None:
    entities = {"#quot;": '"', "#lt;": "<", "#gt;": ">", "#amp;": "&", "#35;": "#", "#59;": ";", "#96;": "`"}
    graph = Graph()
    graph.add_node('a "b" <c> & #d; `e`', None)
    (label,) = re.findall(r'\("(.*)"\)', graph.draw_mermaid(with_styles=False))
    assert re.sub(r"#\w+;", lambda found: entities[found.group()], label) == 'a "b" <c> & #d; `e`'


# ── ASCII ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_graph_is_drawn_as_ascii() -> None:
    pytest.importorskip("netext")
    drawn = CHAINS["prompt-llm"](OURS).get_graph().draw_ascii()
    assert drawn.isascii()
    names = ["PromptInput", "ChatPromptTemplate", "CustomLLM", "CustomLLMOutput"]
    assert re.findall(r"\| (\w+) \|", drawn) == names
    assert drawn.count("v") >= 3
    assert max(len(line) for line in drawn.splitlines()) < 40


def test_branches_are_drawn_side_by_side_with_their_conditions() -> None:
    pytest.importorskip("netext")
    graph = OURS.Branch((is_long, OURS.LLM()), OURS.Lambda(upper)).get_graph()
    lines = graph.draw_ascii().splitlines()
    assert any("| CustomLLM |" in line and "| upper |" in line for line in lines)
    assert "is_long" in "\n".join(lines)
    assert "default" in "\n".join(lines)


def test_a_name_that_looks_like_markup_is_drawn_as_it_is() -> None:
    pytest.importorskip("netext")
    assert "| [bold]no[/bold] |" in OURS.Lambda(upper, name="[bold]no[/bold]").get_graph().draw_ascii()


def test_a_graph_prints_itself(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("netext")
    graph = CHAINS["prompt-llm"](OURS).get_graph()
    graph.print_ascii()
    assert capsys.readouterr().out == graph.draw_ascii() + "\n"


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "netext":
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    graph = OURS.LLM().get_graph()
    assert graph.draw_mermaid()
    with pytest.raises(MissingExtraError, match="needs the extra 'graph'"):
        graph.draw_ascii()
