"""What doesn't come out of the database: the connectors there are, and who asks."""

from __future__ import annotations

from typing import Any

import strawberry
from pydantic.fields import FieldInfo
from strawberry.types.field import StrawberryField

from api import russian
from api.graphql.enums import ENUMS
from api.graphql.run import RequestContext
from api.graphql.scalars import JsonValue
from api.language import spoken
from connectors.auth import CONSENT
from connectors.contract import Connector
from connectors.registry import all_connectors
from schema.enums import Role

_TOLD_BESIDE = frozenset({"title", "description", CONSENT})


@strawberry.type(description="A setting that a user must or may tell to connect a system.")
class ConnectorSetting:
    name: str = strawberry.field(description="Its key in `connectSystem(settings:)`.")
    title: str = strawberry.field(description="Label for a form, in the caller's language.")
    description: str = strawberry.field(description="What it is and where to find it, in the caller's language.")
    required: bool = strawberry.field(description="Whether it must be given.")
    secret: bool = strawberry.field(description="Whether it is stored sealed and never given out again.")
    default: JsonValue | None = strawberry.field(description="What holds if it isn't given; null if nothing does.")
    consentUrl: str | None = strawberry.field(  # noqa: N815 - GraphQL's spelling
        description="Where the user's browser is sent to get the value by consenting (OAuth): the vendor's page, a "
        "URI template (RFC 6570) of `client_id`, `redirect_uri` and `state`. The vendor brings the value to the "
        "redirect address, as `code` or in the fragment as `access_token`. Null for what is typed or pasted."
    )
    jsonSchema: JsonValue = strawberry.field(  # noqa: N815
        description="JSON Schema of its value: type, pattern, least and greatest."
    )


@strawberry.type(description="A list of records that a connector reads.")
class ConnectorStream:
    name: str = strawberry.field(description="Stable name.")
    title: str = strawberry.field(description="Name for people.")
    makes: list[str] = strawberry.field(description="What its records become: `client`, `deal`, `call`, …")


@strawberry.type(description="A change that a connector can make in the external system.")
class ConnectorWrite:
    name: str = strawberry.field(description="Stable name, as write rules and the outbox use it.")
    title: str = strawberry.field(description="Name for people.")


@strawberry.type(name="Connector", description="An external system that can be connected.")
class ConnectorType:
    key: str = strawberry.field(description="Stable key (`bitrix24`).")
    title: str = strawberry.field(description="Name of the system.")
    description: str = strawberry.field(description="What is read from it, and what for.")
    docsUrl: str = strawberry.field(description="The vendor's documentation of its API.")  # noqa: N815
    verifiedBy: str = strawberry.field(  # noqa: N815
        description="How far it has been tried: `live`, `official specification`, `recorded payloads` or "
        "`documentation`."
    )
    settings: list[ConnectorSetting] = strawberry.field(description="What must be told to connect it.")
    streams: list[ConnectorStream] = strawberry.field(description="The lists that are read from it.")
    writes: list[ConnectorWrite] = strawberry.field(description="What can be written there.")
    webhooks: list[str] = strawberry.field(
        description="What it tells by itself, by the vendor's names; empty if nothing."
    )


@strawberry.type(name="Viewer", description="Who asks: the key that the request bears.")
class ViewerType:
    tokenId: str = strawberry.field(description="Public part of the key.")  # noqa: N815
    role: ENUMS[Role] = strawberry.field(description="What the key may do.")  # type: ignore[valid-type]  # made from data


def connectors() -> list[ConnectorType]:
    return [_described(each) for each in all_connectors().values()]


def viewer(info: strawberry.Info[RequestContext, None]) -> ViewerType:
    asking = info.context.viewer
    return ViewerType(tokenId=asking.token_id, role=ENUMS[Role](asking.role.value))


def catalogue_fields() -> list[StrawberryField]:
    made: list[Any] = [
        strawberry.field(connectors, name="connectors", description="The systems that can be connected, by title."),
        strawberry.field(viewer, name="viewer", description="Who asks: the key that the request bears."),
    ]
    return made


def _described(found: Connector[Any]) -> ConnectorType:
    schemas = found.settings.model_json_schema()["properties"]
    return ConnectorType(
        key=found.key,
        title=found.title,
        description=found.description,
        docsUrl=found.docs_url,
        verifiedBy=found.verified_by,
        settings=[
            _setting(found.key, name, field, schemas.get(name, {}), secret=found.settings.is_secret(name))
            for name, field in found.settings.model_fields.items()
        ],
        streams=[
            ConnectorStream(name=each.name, title=each.title, makes=[kind.value for kind in each.makes])
            for each in found.streams
        ],
        writes=[ConnectorWrite(name=each.name, title=each.title) for each in found.writes],
        webhooks=[] if found.webhooks is None else list(found.webhooks.events),
    )


def _setting(
    connector: str, name: str, field: FieldInfo, schema: dict[str, Any], *, secret: bool
) -> ConnectorSetting:
    known = russian.setting(connector, name) if spoken() == "ru" else None
    default = None if secret or field.is_required() else schema.get("default")
    return ConnectorSetting(
        name=name,
        title=known[0] if known else field.title or name,
        description=known[1] if known else field.description or "",
        required=field.is_required(),
        secret=secret,
        default=default,
        consentUrl=schema.get(CONSENT),
        jsonSchema=JsonValue({key: value for key, value in schema.items() if key not in _TOLD_BESIDE}),
    )
