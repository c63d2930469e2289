"""What a role may not see is never selected; what it may not do is refused."""

from __future__ import annotations

import pytest

from schema import tables as t
from schema.enums import Role
from tests.api.conftest import Api
from tests.api.market import START, uuid

ONE = f"Client:{uuid('client', 1)}"


async def test_an_analyst_sees_personal_data_masked(api: Api) -> None:
    await api.market.add(
        t.Contact,
        [
            {
                **api.market.unified("ocontact", 1),
                "client_id": uuid("client", 1),
                "name": "Иванов Пётр",
                "phones": ["+79161234512", "+4915112345678", "112"],
                "emails": ["ivan@mail.example.ru"],
                "created_at": START,
            }
        ],
    )
    await api.market.call(700, 1, recording_url="https://records/1", comment="Пётр просил перезвонить")
    await api.market.deal(700, 1, title="Call from +79161234512")
    query = f"""{{ client(id: "{ONE}") {{ name phone email
        contacts {{ nodes {{ name phones emails custom }} }}
        calls(first: 1) {{ nodes {{ clientPhone recordingUrl comment trackingPhone }} }}
        deals(filter: {{id: {{eq: "Deal:{uuid("deal", 700)}"}}}}) {{ nodes {{ title }} }} }} }}"""
    clear = (await api.data(query))["client"]
    assert clear["phone"] == "+79160000001"
    assert clear["contacts"]["nodes"][0]["phones"] == ["+79161234512", "+4915112345678", "112"]
    masked = (await (await api.as_role(Role.ANALYST)).data(query))["client"]
    assert masked == {
        "name": "C*** 0***",
        "phone": "+7 9** ***-**-01",
        "email": "c***@***.ru",
        "contacts": {
            "nodes": [
                {
                    "name": "И*** П***",
                    "phones": ["+7 9** ***-**-12", "+4***78", "11***12"],
                    "emails": ["i***@***.ru"],
                    "custom": None,
                }
            ]
        },
        "calls": {
            "nodes": [
                {"clientPhone": "+7 9** ***-**-01", "recordingUrl": None, "comment": None, "trackingPhone": None}
            ]
        },
        "deals": {"nodes": [{"title": "C*** f*** +7***"}]},
    }


@pytest.mark.parametrize(
    "query",
    [
        '{ clients(filter: {phone: {eq: "+79160000001"}}) { totalCount } }',
        '{ clients(filter: {or: [{not: {name: {startsWith: "C"}}}]}) { totalCount } }',
        "{ clients(orderBy: [{field: NAME}]) { nodes { id } } }",
        '{ calls(filter: {clientPhone: {eq: "1"}}) { totalCount } }',
        '{ deals(filter: {title: {contains: "916"}}) { totalCount } }',
        "{ deals { groupBy(by: [{dimension: TITLE}]) { level } } }",
        f'{{ client(id: "{ONE}") {{ contacts(filter: {{emails: {{has: "a@b.c"}}}}) {{ totalCount }} }} }}',
        '{ leads(filter: {phones: {has: "1"}}) { totalCount } }',
    ],
)
async def test_a_masked_field_can_be_neither_filtered_nor_sorted_by(api: Api, query: str) -> None:
    analyst = await api.as_role(Role.ANALYST)
    assert await analyst.code(query) == "FORBIDDEN"
    assert "errors" not in await api.ask(query)


async def test_how_systems_are_connected_is_for_those_who_connect_them(api: Api) -> None:
    query = "{ connections { nodes { title hasSecret settings secretFields } } }"
    for role, shown in ((Role.OWNER, True), (Role.INTEGRATION, True), (Role.MANAGER, False), (Role.ANALYST, False)):
        (found,) = (await (await api.as_role(role)).data(query))["connections"]["nodes"]
        assert found["hasSecret"] is True
        assert (found["settings"], found["secretFields"]) == (
            ({"portal": "example"}, ["webhook"]) if shown else (None, None)
        )
        assert "sealed" not in str(found)


CONNECTION = f"ConnectedSystem:{uuid('kconnection', 1)}"
CONNECTING = [
    'mutation { connectSystem(connector: "bitrix24", settings: {}) { problems { field } } }',
    f'mutation {{ updateConnection(id: "{CONNECTION}", title: "x") {{ sentence }} }}',
    f'mutation {{ pauseConnection(id: "{CONNECTION}") {{ sentence }} }}',
    f'mutation {{ resumeConnection(id: "{CONNECTION}") {{ sentence }} }}',
]
OWNING = [
    'mutation { createToken(role: OWNER, label: "x") { id } }',
    'mutation { revokeToken(id: "x") { revoked } }',
    "{ tokens { nodes { id } } }",
]


@pytest.mark.parametrize("role", list(Role))
async def test_who_may_do_what(api: Api, role: Role) -> None:
    caller = await api.as_role(role)
    for query in CONNECTING:
        refused = "errors" in await caller.ask(query)
        assert refused is (role not in {Role.OWNER, Role.INTEGRATION}), query
    for query in OWNING:
        refused = "errors" in await caller.ask(query)
        assert refused is (role is not Role.OWNER), query
    assert (await caller.data("{ viewer { role } }"))["viewer"]["role"] == role.name
