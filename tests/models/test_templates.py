"""Chat templates give the formats that models were trained on, letter for letter."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

import pytest

from modelport import LLM, AIMessage, HumanMessage, SystemMessage, ToolMessage
from modelport.models.jinja_templates import CACHED_TEMPLATES, compiled
from modelport.models.templates import apply_chat_template, check_chat_template
from modelport.values.errors import InputError, MissingExtraError

TALK = [
    SystemMessage("Be brief."),
    HumanMessage("Hi"),
    AIMessage("Hello!"),
    HumanMessage("How are you?"),
]
GOLDEN = {
    "chatml": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n"
        "<|im_start|>user\nHow are you?<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    "llama3": (
        "<|begin_of_text|>"
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHow are you?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "gemma": (
        "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n"
        "<start_of_turn>model\nHello!<end_of_turn>\n"
        "<start_of_turn>user\nHow are you?<end_of_turn>\n"
        "<start_of_turn>model\n"
    ),
    "mistral": "<s>[INST] Hi[/INST] Hello!</s>[INST] Be brief.\n\nHow are you?[/INST]",
    "last": "How are you?",
    None: "System: Be brief.\nHuman: Hi\nAI: Hello!\nHuman: How are you?",
}
# Templates in the manner in which model repositories write them; each gives what the function of its name gives.
PUBLISHED = {
    "chatml": (
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' "
        "+ '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
    "llama3": """
{%- set bos = '<|begin_of_text|>' if not bos_token else bos_token %}
{%- for m in messages %}
    {%- if loop.first %}
        {{- bos }}
    {%- endif %}
    {{- '<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\\n\\n' ~ m.content | trim ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}
""",
    "gemma": """
{%- set ns = namespace(prefix='') -%}
{%- if messages[0]['role'] == 'system' -%}
    {%- set ns.prefix = messages[0]['content'] + '\\n\\n' -%}
    {%- set turns = messages[1:] -%}
{%- else -%}
    {%- set turns = messages -%}
{%- endif -%}
{%- for turn in turns -%}
    {%- if (turn['role'] == 'user') != (loop.index0 % 2 == 0) -%}
        {{ raise_exception("Conversation roles must alternate user/assistant/user/assistant/...") }}
    {%- endif -%}
    {%- set role = 'model' if turn['role'] == 'assistant' else turn['role'] -%}
    {{ '<start_of_turn>' + role + '\\n' + (ns.prefix if loop.first else '') + turn['content'] | trim }}<end_of_turn>
{% endfor -%}
{%- if add_generation_prompt -%}
<start_of_turn>model
{% endif -%}
""",
    "mistral": """
{%- if messages[0].role == 'system' %}
    {%- set system, loop_messages = messages[0].content, messages[1:] %}
{%- else %}
    {%- set system, loop_messages = none, messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if message.role == 'user' %}
        {%- if loop.last and system is not none %}
            {{- '[INST] ' + system + '\\n\\n' + message.content + '[/INST]' }}
        {%- else %}
            {{- '[INST] ' + message.content + '[/INST]' }}
        {%- endif %}
    {%- elif message.role == 'assistant' %}
        {{- ' ' + message.content + eos_token }}
    {%- endif %}
{%- endfor %}
""",
}
TOKENS = {"llama3": ("<|begin_of_text|>", "<|eot_id|>"), "mistral": ("<s>", "</s>")}


class Echo(LLM):
    def _call(self, prompt, stop=None, run_manager=None, **kwargs):
        return prompt


@pytest.mark.parametrize("name", GOLDEN)
def test_a_named_template_gives_its_models_format(name):
    assert Echo(chat_template=name).invoke(TALK) == GOLDEN[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_jinja_template_gives_what_the_named_one_gives(name):
    bos_token, eos_token = TOKENS.get(name, ("", ""))
    made = apply_chat_template(PUBLISHED[name], TALK, bos_token=bos_token, eos_token=eos_token)
    assert made == GOLDEN[name]
    short = TALK[1:2]
    made = apply_chat_template(PUBLISHED[name], short, bos_token=bos_token, eos_token=eos_token)
    assert made == apply_chat_template(name, short)


@pytest.mark.parametrize("wrong", ["chat_ml", "{% for %}", "{{ 1 + }}"])
def test_a_model_with_a_wrong_template_cannot_be_made(wrong):
    with pytest.raises(ValueError, match=r"Echo cannot be made: field 'chat_template': .*no (chat|Jinja2) template"):
        Echo(chat_template=wrong)


class TestNamed:
    def test_without_a_system_message(self):
        hi = [HumanMessage("Hi")]
        assert apply_chat_template("gemma", hi) == "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n"
        assert apply_chat_template("mistral", hi) == "<s>[INST] Hi[/INST]"

    def test_a_system_message_without_a_user_is_not_lost(self):
        only = [SystemMessage("Say hi.")]
        assert apply_chat_template("gemma", only) == (
            "<start_of_turn>user\nSay hi.<end_of_turn>\n<start_of_turn>model\n"
        )
        assert apply_chat_template("mistral", only) == "<s>[INST] Say hi.[/INST]"

    def test_several_system_messages_are_all_seen(self):
        two = [SystemMessage("One."), SystemMessage("Two."), HumanMessage("Hi"), SystemMessage("Three.")]
        assert apply_chat_template("gemma", two) == (
            "<start_of_turn>user\nOne.\n\nTwo.\n\nHi<end_of_turn>\n"
            "<start_of_turn>user\nThree.<end_of_turn>\n<start_of_turn>model\n"
        )
        assert apply_chat_template("mistral", two) == "<s>[INST] One.\n\nTwo.\n\nThree.\n\nHi[/INST]"

    def test_outer_white_space_goes_where_the_models_own_template_trims_it(self):
        spaced = [HumanMessage("  Hi \n")]
        assert "user<|end_header_id|>\n\nHi<|eot_id|>" in apply_chat_template("llama3", spaced)
        assert "user\nHi<end_of_turn>" in apply_chat_template("gemma", spaced)
        assert "user\n  Hi \n<|im_end|>" in apply_chat_template("chatml", spaced)

    def test_llama_3_calls_the_role_of_tools_ipython(self):
        said = [HumanMessage("2+2?"), AIMessage(""), ToolMessage("4", tool_call_id="c")]
        assert "<|start_header_id|>ipython<|end_header_id|>\n\n4<|eot_id|>" in apply_chat_template("llama3", said)

    def test_special_tokens_in_messages_are_put_in_as_they_are(self):
        made = apply_chat_template("chatml", [HumanMessage("a<|im_end|>b")])
        assert made == "<|im_start|>user\na<|im_end|>b<|im_end|>\n<|im_start|>assistant\n"

    @pytest.mark.parametrize("template", [*GOLDEN, "{{ messages[0].content }}"])
    def test_text_parts_are_joined_and_images_refused(self, template):
        parts = [HumanMessage([{"type": "text", "text": "Look: "}, "here"])]
        assert apply_chat_template(template, parts) == apply_chat_template(template, [HumanMessage("Look: here")])
        image = [HumanMessage([{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": "x"}}])]
        with pytest.raises(InputError, match="a text model cannot read a content part of type 'image_url'"):
            apply_chat_template(template, image)

    @pytest.mark.parametrize(("wrong", "near"), [("chat_ml", "chatml"), ("lama3", "llama3"), ("Mistral", "mistral")])
    def test_an_unknown_name_is_refused_with_the_near_one(self, wrong, near):
        for refuse in (check_chat_template, lambda name: apply_chat_template(name, TALK)):
            with pytest.raises(InputError, match=f"'{wrong}' is no chat template; known: .*; did you mean '{near}'"):
                refuse(wrong)


class TestJinja:
    def test_blocks_leave_no_lines_and_a_trailing_newline_goes_as_on_hugging_face(self):
        template = "{% for m in messages %}\n    {% if true %}\n{{ m.role }}\n    {% endif %}\n{% endfor %}\nend\n"
        assert apply_chat_template(template, TALK[:2]) == "system\nuser\nend"

    def test_what_is_no_html_is_not_escaped(self):
        assert apply_chat_template("{{ messages[0].content }}", [HumanMessage("<a> & 'b'")]) == "<a> & 'b'"

    def test_tojson_writes_json_as_hugging_face_does(self):
        template = "{{ {'b': '<ä>', 'a': [1]} | tojson }} {{ {'b': 1, 'a': 2} | tojson(indent=1, sort_keys=true) }}"
        assert apply_chat_template(template, TALK) == '{"b": "<ä>", "a": [1]} {\n "a": 2,\n "b": 1\n}'

    def test_tool_calls_come_as_openai_writes_them_with_arguments_as_a_dict(self):
        call = {"name": "add", "args": {"a": 1, "b": "é"}, "id": "c1", "type": "tool_call"}
        messages = [AIMessage("", tool_calls=[call]), ToolMessage("2", tool_call_id="c1", name="add")]
        template = (
            "{%- for m in messages %}{%- for call in m.tool_calls or [] %}"
            "{{ call.type }} {{ call.id }} {{ call.function.name }} {{ call.function.arguments | tojson }};"
            "{%- endfor %}{%- if m.role == 'tool' %}{{ m.name }} {{ m.tool_call_id }} {{ m.content }}{% endif %}"
            "{%- endfor %}"
        )
        assert apply_chat_template(template, messages) == 'function c1 add {"a": 1, "b": "é"};add c1 2'

    def test_a_key_that_a_message_has_not_is_undefined(self):
        template = "{% if messages[0].tool_calls is defined %}x{% endif %}{{ tools is none }}{{ documents is none }}"
        assert apply_chat_template(template, TALK) == "TrueTrue"

    def test_strftime_now_gives_the_date(self):
        assert apply_chat_template("{{ strftime_now('%Y') | int > 2000 }}", TALK) == "True"

    def test_break_continue_and_generation_tags_are_known(self):
        template = (
            "{% for m in messages %}{% if m.role == 'system' %}{% continue %}{% endif %}"
            "{% if m.role == 'assistant' %}{% generation %}[{{ m.content }}]{% endgeneration %}{% break %}{% endif %}"
            "{{ m.content }}{% endfor %}"
        )
        assert apply_chat_template(template, TALK) == "Hi[Hello!]"

    def test_what_the_template_says_of_the_messages_is_an_error_of_the_caller(self):
        with pytest.raises(InputError, match="refuses these messages: Conversation roles must alternate") as caught:
            apply_chat_template(PUBLISHED["gemma"], [HumanMessage("a"), HumanMessage("b")])
        assert caught.value.status_code == 400
        assert caught.value.param == "messages"

    @pytest.mark.parametrize("template", ["{% for m in messages %}\n{{ m.role }}\n{% endfo %}", "\n\n{{ 1 + }}"])
    def test_wrong_syntax_is_told_with_its_line(self, template):
        with pytest.raises(InputError, match=r"chat_template is no Jinja2 template: .*\(line 3\)"):
            check_chat_template(template)

    def test_a_failure_is_told_with_its_line(self):
        with pytest.raises(InputError, match=r"chat_template failed in line 3: UndefinedError: .*'nothing'"):
            apply_chat_template("a\nb\n{{ messages[0].nothing.more }}", TALK)
        with pytest.raises(InputError, match="chat_template failed in line 1: TypeError"):
            apply_chat_template("{{ messages[0].content + 1 }}", TALK)

    @pytest.mark.parametrize(
        "template",
        [
            "{{ ''.__class__.__mro__ }}",
            "{{ messages.__class__ }}",
            "{{ cycler.__init__.__globals__ }}",
            "{{ raise_exception.__globals__ }}",
            "{{ strftime_now.__globals__['json'] }}",
            "{{ (messages | map(attribute='__class__') | list)[0].mro() }}",
            "{{ messages.append(1) }}",
            "{{ messages[0].update(content='x') }}",
            "{% include 'other' %}",
        ],
    )
    def test_the_sandbox_lets_nothing_out_and_changes_nothing(self, template):
        messages = copy.copy(TALK)
        with pytest.raises(InputError, match="chat_template failed"):
            apply_chat_template(template, messages)
        assert messages == TALK

    @pytest.mark.parametrize(
        "template",
        [
            "{% for i in range(1000000000000) %}x{% endfor %}",
            "{% for i in range(10 ** 12) %}x{% endfor %}",
            "{{ 10 ** (10 ** 10) }}",
            "{{ 'x' * 1000000000000 }}",
            "{{ 1000000000000 * [messages] }}",
            "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        ],
    )
    def test_an_endless_template_is_ended(self, template):
        with pytest.raises(InputError, match="chat_template failed"):
            apply_chat_template(template, TALK)

    def test_what_messages_say_is_never_a_template(self):
        said = [HumanMessage("{{ 7 * 7 }}{% for %}")]
        assert apply_chat_template("{{ messages[0].content }}", said) == "{{ 7 * 7 }}{% for %}"

    def test_a_template_is_compiled_once_and_few_are_kept(self):
        template = "{{ messages[0].content }} once"
        assert compiled(template) is compiled(template)
        for number in range(CACHED_TEMPLATES + 1):
            apply_chat_template("{{ messages[0].content }} " + str(number), TALK)
        assert compiled.cache_info().currsize == CACHED_TEMPLATES

    async def test_all_ways_to_call_use_it(self):
        model = Echo(chat_template="{{ messages | length }} {{ messages[-1].content }}")
        assert model.invoke(TALK) == "4 How are you?"
        assert await model.ainvoke(TALK) == "4 How are you?"
        assert "".join(model.stream(TALK)) == "4 How are you?"
        assert model.batch([TALK, TALK[:2]]) == ["4 How are you?", "2 Hi"]
        assert model.invoke("a text stays as it is") == "a text stays as it is"


def test_without_jinja2_the_extra_is_named_and_named_templates_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "modelport.models.jinja_templates")
    assert apply_chat_template("chatml", TALK) == GOLDEN["chatml"]
    with pytest.raises(MissingExtraError, match=r"needs the extra 'templates': pip install 'modelport\[templates\]'"):
        check_chat_template("{{ messages }}")


def test_named_templates_load_no_jinja2():
    code = (
        "import sys, json; from modelport import LLM; from modelport.models.templates import *;"
        "apply_chat_template('chatml', []); print(json.dumps([name for name in sys.modules if 'jinja' in name]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert json.loads(done.stdout) == []
