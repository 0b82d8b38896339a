"""The documentation page of the REST API, rendered from its OpenAPI document.

django-ninja's own page needs scripts and inline styles, which the site's Content-Security-Policy
forbids.
"""

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
    """A route as the page shows it: field names with their types."""

    method: str
    path: str
    summary: str
    response: list[tuple[str, str]]
    request: list[tuple[str, str]]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show every route, what it takes and what it returns."""
    return render(
        request,
        "api/docs.html",
        {"routes": _routes(), "per_token": PER_TOKEN, "per_address": PER_ADDRESS},
    )


def _routes() -> list[Route]:
    document: Any = api.get_openapi_schema()
    schemas = document["components"]["schemas"]
    routes = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            response = operation["responses"][200]["content"]["application/json"]["schema"]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            routes.append(
                Route(
                    method.upper(),
                    path,
                    operation["summary"],
                    _fields(response, schemas),
                    _fields(body.get("schema", {}), schemas),
                )
            )
    return routes


def _fields(schema: dict[str, Any], schemas: dict[str, Any]) -> list[tuple[str, str]]:
    """Return each field's name and type."""
    schema = schema.get("items", schema)
    reference = schema.get("$ref", "").rpartition("/")[2]
    fields = schemas.get(reference, {}).get("properties", {})
    return [(name, _type_name(field)) for name, field in fields.items()]


def _type_name(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_type_name(option) for option in field["anyOf"])
    if "$ref" in field:
        return field["$ref"].rpartition("/")[2]
    if field.get("type") == "array":
        return f"list of {_type_name(field['items'])}"
    if isinstance(field.get("additionalProperties"), dict):
        return f"by name: {_type_name(field['additionalProperties'])}"
    return field.get("format", field.get("type", ""))
