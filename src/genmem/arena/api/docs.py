"""The interface as a page, made from its OpenAPI document: nothing from elsewhere, no script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from genmem.arena.api.auth import PER_ADDRESS, PER_TOKEN
from genmem.arena.api.routes import api


@dataclass(frozen=True)
class Route:
    """One route, as the page shows it."""

    method: str
    path: str
    summary: str
    answer: list[tuple[str, str]]
    takes: list[tuple[str, str]]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Every route, what it takes and what it answers."""
    return render(
        request,
        "api/docs.html",
        {"routes": _routes(), "per_token": PER_TOKEN, "per_address": PER_ADDRESS},
    )


def _routes() -> list[Route]:
    document: Any = api.get_openapi_schema()
    schemas = document["components"]["schemas"]
    found = []
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            answer = told["responses"][200]["content"]["application/json"]["schema"]
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {})
            found.append(
                Route(
                    method.upper(),
                    path,
                    told["summary"],
                    _fields(answer, schemas),
                    _fields(body.get("schema", {}), schemas),
                )
            )
    return found


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[tuple[str, str]]:
    """Each field's name and type."""
    schema = schema.get("items", schema)
    reference = schema.get("$ref", "").rpartition("/")[2]
    fields = schemas.get(reference, {}).get("properties", {})
    return [(name, _type(told)) for name, told in fields.items()]


def _type(told: dict[str, Any]) -> str:
    if "anyOf" in told:
        return " or ".join(_type(one) for one in told["anyOf"])
    if "$ref" in told:
        return told["$ref"].rpartition("/")[2]
    if told.get("type") == "array":
        return f"list of {_type(told['items'])}"
    if isinstance(told.get("additionalProperties"), dict):
        return f"by name: {_type(told['additionalProperties'])}"
    return told.get("format", told.get("type", ""))
