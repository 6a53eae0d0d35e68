"""Names that a shell completes: models of `--config`, providers, checks. It never fails and loads no model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import typer  # noqa: TC002 - typer reads the annotation


def complete_models(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the models of the `--config` that was typed, or the providers, that begin with a text."""
    try:
        config = ctx.params.get("config")
        known = _names_in(Path(str(config))) if config else _providers()
    except Exception:  # noqa: BLE001 - a shell that waits for names can do nothing with an error
        return []
    return [name for name in known if name.startswith(incomplete)]


def complete_checks(incomplete: str) -> list[str]:
    """Return the groups and ids of checks that begin with a text."""
    try:
        from modelport.testing.kit import all_checks

        ids = [check.id for check in all_checks()]
    except Exception:  # noqa: BLE001 - as above
        return []
    areas = list(dict.fromkeys(one.partition(":")[0] for one in ids))
    found = [name for name in areas if name.startswith(incomplete)]
    return found if len(found) > 1 else [*found, *(one for one in ids if one.startswith(incomplete))]


def _providers() -> list[str]:
    from modelport.registry.providers import provider_names

    return [f"{name}/" for name in provider_names()]


def _names_in(config: Path) -> list[str]:
    import yaml

    raw: Any = yaml.safe_load(config.read_text(encoding="utf-8"))
    found = [name for part in ("models", "aliases") for name in cast("Mapping[str, Any]", raw.get(part) or {})]
    found += [entry["model_name"] for entry in cast("list[Any]", raw.get("model_list") or [])]
    return [str(name) for name in found]
