"""Which names a pattern stands for."""

from __future__ import annotations

import pytest

from modelport.gateway.patterns import matches


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("gpt-*", "gpt-4o", True),
        ("gpt-*", "gpt-", True),
        ("gpt-*", "xgpt-4", False),
        ("*", "a/b", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*-mini", "gpt-mini", True),
        ("gpt", "gpt", True),
        ("g.t", "gpt", False),
        ("a*b*c", "axbxc", True),
        ("a*b*c", "acb", False),
    ],
)
def test_a_star_stands_for_any_text(pattern: str, name: str, fits: bool) -> None:
    assert matches(pattern, name) is fits
