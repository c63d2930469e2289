"""Connections and keys over the API."""

from __future__ import annotations

from tests.api.conftest import Api, bearer
from tests.api.market import uuid

CONNECTION = f"ConnectedSystem:{uuid('kconnection', 1)}"


async def test_wrong_settings_come_back_on_the_field_that_is_wrong(api: Api) -> None:
    query = """mutation ($settings: JSON!) { connectSystem(connector: "calltouch", settings: $settings) {
        connection { id } problems { field message } } }"""
    answer = await api.data(query, {"settings": {"site_id": "abc", "token": "secret-canary"}})
    assert answer["connectSystem"]["connection"] is None
    (problem,) = answer["connectSystem"]["problems"]
    assert problem["field"] == "site_id"
    assert "secret-canary" not in str(answer)
    unknown = await api.data(
        'mutation { connectSystem(connector: "nothing", settings: {}) { problems { field } } }'
    )
    assert unknown["connectSystem"]["problems"] == [{"field": "connector"}]
    told = (await api.data(query, {"settings": "text"}))["connectSystem"]["problems"]
    assert told == [{"field": "settings", "message": "Give a JSON object here."}]


async def test_pause_and_resume_show_in_the_answer(api: Api) -> None:
    query = """mutation ($id: ID!) { %s(id: $id) { connection { id state stateSentence nextRunAt }
        problems { field code } } }"""
    paused = (await api.data(query % "pauseConnection", {"id": CONNECTION}))["pauseConnection"]["connection"]
    assert (paused["state"], paused["stateSentence"]) == (
        "PAUSED",
        "Paused by a user: nothing is read until it is resumed.",
    )
    resumed = (await api.data(query % "resumeConnection", {"id": CONNECTION}))["resumeConnection"]["connection"]
    assert resumed["state"] == "ACTIVE"
    assert resumed["nextRunAt"] is not None
    for id, code in ((f"ConnectedSystem:{uuid('kconnection', 9)}", "NOT_FOUND"), ("rubbish", "WRONG_ID")):
        answer = (await api.data(query % "pauseConnection", {"id": id}))["pauseConnection"]
        assert answer == {"connection": None, "problems": [{"field": "id", "code": code}]}


async def test_a_connection_is_renamed_and_its_interval_bounded(api: Api) -> None:
    query = """mutation ($id: ID!, $title: String, $s: Int) {
        updateConnection(id: $id, title: $title, intervalSeconds: $s) {
          connection { title intervalSeconds } problems { field message } } }"""
    good = (await api.data(query, {"id": CONNECTION, "title": "New", "s": 120}))["updateConnection"]
    assert good == {"connection": {"title": "New", "intervalSeconds": 120}, "problems": []}
    bad = (await api.data(query, {"id": CONNECTION, "s": 5}))["updateConnection"]
    assert bad["connection"] is None
    assert [problem["field"] for problem in bad["problems"]] == ["intervalSeconds"]


async def test_a_sync_is_asked_for_once(api: Api) -> None:
    query = """mutation ($id: ID!) { startSync(connection: $id) {
        run { id state trigger connection { title } } connection { runs { totalCount } } } }"""
    first = (await api.data(query, {"id": CONNECTION}))["startSync"]
    assert first["run"]["state"] == "QUEUED"
    assert first["run"]["trigger"] == "BUTTON"
    assert first["run"]["connection"] == {"title": "CRM"}
    second = (await api.data(query, {"id": CONNECTION}))["startSync"]
    assert second["run"]["id"] == first["run"]["id"]
    assert second["connection"]["runs"]["totalCount"] == 1


async def test_a_removed_connection_is_gone(api: Api) -> None:
    remove = "mutation ($id: ID!) { removeConnection(id: $id) { removed problems { code } } }"
    for removed in (True, False):
        answer = (await api.data(remove, {"id": CONNECTION}))["removeConnection"]
        assert answer == {"removed": removed, "problems": []}
    assert (
        await api.data("query ($id: ID!) { connection(id: $id) { id } clients { totalCount } }", {"id": CONNECTION})
    ) == {
        "connection": None,
        "clients": {"totalCount": 6},
    }


async def test_a_key_is_made_shown_once_and_ended(api: Api) -> None:
    made = await api.data('mutation { createToken(role: ANALYST, label: "for reports") { id token } }')
    token_id, token = made["createToken"]["id"], made["createToken"]["token"]
    answer = await api.http.post("/graphql", json={"query": "{ viewer { role tokenId } }"}, headers=bearer(token))
    assert answer.json()["data"]["viewer"] == {"role": "ANALYST", "tokenId": token_id}
    listed = await api.data("{ tokens { nodes { id label role lastUsedAt revokedAt } } }")
    found = next(each for each in listed["tokens"]["nodes"] if each["id"] == token_id)
    assert found["label"] == "for reports"
    assert found["lastUsedAt"] is not None
    assert token not in str(listed)
    revoke = "mutation ($id: String!) { revokeToken(id: $id) { revoked } }"
    assert (await api.data(revoke, {"id": token_id}))["revokeToken"] == {"revoked": True}
    gone = await api.http.post("/graphql", json={"query": "{ viewer { role } }"}, headers=bearer(token))
    assert gone.status_code == 401
    assert (await api.data(revoke, {"id": token_id}))["revokeToken"] == {"revoked": False}


async def test_an_expired_key_opens_nothing(api: Api) -> None:
    made = await api.data(
        'mutation { createToken(role: ANALYST, label: "old", expiresAt: "2020-01-01T00:00:00Z") { token } }'
    )
    headers = bearer(made["createToken"]["token"])
    answer = await api.http.post("/graphql", json={"query": "{ viewer { role } }"}, headers=headers)
    assert answer.status_code == 401


async def test_the_catalogue_has_what_a_form_needs(api: Api) -> None:
    data = await api.data(
        """{ connectors { key title verifiedBy streams { name title makes }
             settings { name title description required secret default consentUrl jsonSchema } } }"""
    )
    calltouch = next(each for each in data["connectors"] if each["key"] == "calltouch")
    settings = {each["name"]: each for each in calltouch["settings"]}
    assert settings["token"]["secret"] is True
    assert settings["token"]["required"] is True
    assert settings["token"]["default"] is None
    assert settings["time_zone"]["default"] == "Europe/Moscow"
    assert settings["site_id"]["jsonSchema"]["pattern"] == r"^\d{1,12}$"
    assert all(each["description"] for each in calltouch["settings"])
    got = {
        (each["key"], one["name"]): one["consentUrl"]
        for each in data["connectors"]
        for one in each["settings"]
        if one["consentUrl"]
    }
    assert got.keys() >= {("amocrm", "authorization_code"), ("google_ads", "authorization_code")}
    assert got["yandex_metrica", "token"].startswith("https://oauth.yandex.ru/authorize?response_type=token&")
    assert all("{client_id}" in each and "{state}" in each for each in got.values())
    assert not any("consent" in one["jsonSchema"] for each in data["connectors"] for one in each["settings"])
