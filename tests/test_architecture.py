"""The house rules that no linter knows: sizes, names, and who imports what."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "modelport"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LINES_OF_A_FILE = 400
LINES_OF_A_FUNCTION = 80
LINES_OF_AN_EXAMPLE = 60

FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "manager", "service", "services"}
NAMES_OF_THE_GUIDE = {"CallbackManagerForLLMRun", "AsyncCallbackManagerForLLMRun"}

FOREIGN_PACKAGES = {
    "langchain_core": {"integrations"},
    "litellm": {"integrations"},
    "starlette": {"gateway", "testing"},
    "uvicorn": {"gateway", "cli"},
    "prometheus_client": {"gateway"},
    "yaml": {"cli", "gateway"},
    "typer": {"cli"},
    "rich": {"cli", "runnables"},
    "netext": {"runnables"},
    "aiohttp": {"providers"},
    "jmespath": {"providers"},
    "jinja2": {"models", "providers"},
    "jsonschema": {"models"},
    "httpx": {"integrations", "gateway", "testing"},
    "httpx2": {"gateway"},
    "openai": {"gateway"},
}
"""Which floors may import a package that is not a core dependency."""

by_module = pytest.mark.parametrize("module", MODULES, ids=[str(module.relative_to(PACKAGE)) for module in MODULES])


def parsed(module: Path) -> ast.Module:
    return ast.parse(module.read_text(encoding="utf-8"), str(module))


def functions_in(module: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_without_docstring(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        docstring = function.body[0]
        lines -= (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1
    return lines


def imports_in(module: Path) -> Iterator[tuple[str, list[str]]]:
    """Every absolute import: the module, and the names taken from it."""
    for node in ast.walk(parsed(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module, [alias.name for alias in node.names]


def floor_of(module: Path) -> str:
    return module.relative_to(PACKAGE).with_suffix("").parts[0]


def words_of(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


@pytest.mark.parametrize(
    "module", [*MODULES, *TESTS], ids=[str(module.relative_to(ROOT)) for module in (*MODULES, *TESTS)]
)
def test_a_file_stays_within_400_lines(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LINES_OF_A_FILE


@by_module
def test_a_function_stays_within_80_lines(module: Path) -> None:
    long = {
        function.name: lines_without_docstring(function)
        for function in functions_in(module)
        if lines_without_docstring(function) > LINES_OF_A_FUNCTION
    }
    assert long == {}


@by_module
def test_a_name_says_what_a_thing_is(module: Path) -> None:
    if module.is_relative_to(PACKAGE / "integrations" / "litellm"):
        return  # LiteLLM's own names: modules are where its users look for them
    classes = {node.name for node in ast.walk(parsed(module)) if isinstance(node, ast.ClassDef)}
    names = (classes - NAMES_OF_THE_GUIDE) | set(module.relative_to(PACKAGE).with_suffix("").parts)
    assert {name for name in names if words_of(name) & FORBIDDEN_WORDS} == set()


@by_module
def test_nobody_inside_imports_the_package_root(module: Path) -> None:
    floors = {path.stem for path in PACKAGE.iterdir()}
    taken = [name for source, names in imports_in(module) if source == "modelport" for name in names or ["modelport"]]
    own = {"modelport"} if module == PACKAGE / "__init__.py" else set[str]()
    assert [name for name in taken if name not in floors | own] == []


@by_module
def test_a_foreign_package_stays_on_its_floor(module: Path) -> None:
    strangers = {
        source
        for source, _ in imports_in(module)
        if floor_of(module) not in FOREIGN_PACKAGES.get(source.split(".")[0], {floor_of(module)})
    }
    assert strangers == set()


@pytest.mark.parametrize("heavy", ["pydantic", "starlette"])
def test_importing_the_root_stays_light(heavy: str) -> None:
    code = f"import sys, modelport; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


@pytest.mark.parametrize("name", ["echo", "streaming_chat", "batching", "local_gguf"])
def test_an_example_fits_on_a_screen(name: str) -> None:
    example = ROOT / "examples" / f"{name}.py"
    assert len(example.read_text(encoding="utf-8").splitlines()) <= LINES_OF_AN_EXAMPLE


def test_floors_are_those_of_the_import_linter() -> None:
    declared = re.findall(r"^    \(?(\w+)\)?$", (ROOT / ".importlinter").read_text("utf-8"), re.M)
    built = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert built - {"__init__", "__pycache__"} <= set(declared)


def test_the_page_about_the_architecture_names_files_that_there_are() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    named = {name for name in re.findall(r"`([\w/]+\.py)`", page) if not (ROOT / name).exists()}
    modules = {module.relative_to(PACKAGE).as_posix() for module in PACKAGE.rglob("*.py")}
    # The gateway's section says its files without their folder.
    assert {name for name in named if name not in modules and f"gateway/{name}" not in modules} == set()


def test_the_page_about_the_architecture_names_each_file_of_the_gateway() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    files = {file.name for file in (PACKAGE / "gateway").glob("*.py")} - {"__init__.py"}
    assert {name for name in files if f"`{name}`" not in page} == set()
