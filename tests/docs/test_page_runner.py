"""What reads the pages notices what is wrong on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.page import Reader, blocks_of, is_as_shown

Read = Callable[[str], list[tuple[str, bool]]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Type a page; return what each of its blocks printed, and whether that is what the page shows."""

    def typed(text: str) -> list[tuple[str, bool]]:
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        folder = tmp_path / "empty"
        folder.mkdir()
        with Reader(page, folder, {}) as reader:
            return [
                (printed := reader.run(block), is_as_shown(block.printed or "", printed)) for block in blocks_of(text)
            ]

    return typed


def test_each_command_of_a_console_is_compared_with_what_stands_below_it(read: Read) -> None:
    page = "```console\n$ echo one\none\n$ echo two\nthree\n$ echo four \\\n    five\nfour five\n```\n"
    assert read(page) == [("one\n", True), ("two\n", False), ("four five\n", True)]


def test_the_terminal_stays_the_same_over_a_page(read: Read) -> None:
    page = (
        "```console\n$ mkdir inner\n$ cd inner\n$ export WHO=you\n```\n"
        "```python\n# hello.py\nimport os\n\nprint('hello', os.environ['WHO'])\n```\n"
        "```console\n$ python hello.py\nhello you\n$ ls\nhello.py\n```\n"
    )
    assert all(is_shown for _, is_shown in read(page))


def test_a_command_that_fails_is_an_error(read: Read) -> None:
    with pytest.raises(AssertionError, match="failed with status 3"):
        read("```console\n$ (exit 3)\n```\n")


def test_a_page_may_say_that_a_command_fails(read: Read) -> None:
    assert read("```console\n$ (exit 3)\n$ echo $?\n3\n```\n")[-1] == ("3\n", True)


def test_what_goes_to_stderr_is_seen_too(read: Read) -> None:
    assert read("```console\n$ echo oops >&2\noops\n```\n") == [("oops\n", True)]


def test_a_block_in_an_unknown_language_is_an_error(read: Read) -> None:
    with pytest.raises(AssertionError, match="nothing runs a block of 'ruby'"):
        read("```ruby\nputs 1\n```\n")


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("one", "one  \n", True),
        ("o…e", "one", True),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("one", "one two", False),
        ("a.c", "abc", False),
    ],
)
def test_only_the_ellipsis_stands_for_anything(shown: str, printed: str, expected: bool) -> None:
    assert is_as_shown(shown, printed) is expected
