"""The life of a connection: made, checked, changed, paused, removed. Secrets are sealed before they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pydantic import SecretStr
from sqlalchemy import RowMapping, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors import own
from connectors.contract import Connector, ConnectorSettings, Health
from connectors.errors import BadSettings, VendorError
from connectors.registry import connector
from core.database import driver
from core.secrets import DataKey
from schema.enums import ConnectionState
from schema.tables import Connection, StreamState, Workspace
from sync.breaker import Breaker, try_now
from sync.budget import Budget
from sync.errors import NotFound, SettingsProblem, SettingsRefused
from sync.office import Office
from sync.parsing import parse_settings
from sync.removal import remove_data
from sync.tokens import ACCESS_TOKEN, AUTHORIZATION_CODE, REFRESH_TOKEN, StoredTokens
from sync.uploads import forget_unread, references_of
from sync.vendor import Unstored, vendor_client


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection ready for use: its connector, and its settings with the secrets opened."""

    id: UUID
    workspace_id: UUID
    title: str
    account: str
    connector: Connector[Any]
    settings: ConnectorSettings
    region: str


async def create_connection(
    office: Office,
    workspace_id: UUID,
    key: str,
    title: str | None,
    values: Mapping[str, Any],
    *,
    within: AsyncConnection | None = None,
) -> tuple[UUID, Health]:
    """Check settings against the vendor and store the connection, in the transaction ``within``, if given.

    Raises SettingsRefused, with the problem of each field, when the settings can't be used.
    """
    if key == own.KEY:
        raise SettingsRefused(
            [SettingsProblem("connector", "There is nothing to connect: what is entered in Skvoz is here.")]
        )
    found = _connector(key)
    settings = parse_settings(found, values)
    settings, health = await _try_out(office, workspace_id, found, settings)
    id = uuid4()
    wrapped = office.keyring.new_data_key(workspace=workspace_id, connection=id)
    plain, sealed = _seal(settings, office.keyring.unwrap(wrapped, workspace=workspace_id, connection=id))
    async with office.database.within(workspace_id, within) as db:
        await db.execute(
            insert(Connection).values(
                workspace_id=workspace_id,
                id=id,
                connector=key,
                title=title or health.account or found.title,
                account=f"{key}:{found.account(settings)}",
                account_name=health.account,
                settings=plain,
                secrets=sealed,
                data_key=wrapped,
                next_run_at=text("now()"),
            )
        )
        await db.execute(
            insert(StreamState),
            [
                {"workspace_id": workspace_id, "connection_id": id, "stream": stream.name}
                for stream in found.streams
            ],
        )
    return id, health


async def update_connection(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    *,
    title: str | None = None,
    values: Mapping[str, Any] | None = None,
    interval_seconds: int | None = None,
) -> Health | None:
    """Change a connection. New ``values`` are laid over the present settings (a secret that isn't given stays)
    and checked at once; a connection that waited for better settings goes on.

    Raises SettingsRefused or NotFound.
    """
    health = None
    former: set[str] = set()
    changes: dict[str, Any] = {"updated_at": text("now()")}
    if interval_seconds is not None:
        if interval_seconds < 60:
            raise SettingsRefused(
                [SettingsProblem("intervalSeconds", "A connection is synced once a minute at most.", "TOO_OFTEN")]
            )
        changes["interval_seconds"] = interval_seconds
    if title is not None:
        changes["title"] = title
    if values is not None:
        row = await _row(office, workspace_id, connection_id)
        opened = _open(office, row, workspace_id)
        former = references_of(office, row)
        settings = parse_settings(opened.connector, _revealed(opened.settings) | dict(values))
        settings, health = await _try_out(office, workspace_id, opened.connector, settings)
        key = office.keyring.unwrap(row["data_key"], workspace=workspace_id, connection=connection_id)
        plain, sealed = _seal(settings, key)
        changes |= {
            "settings": plain,
            "secrets": sealed,
            "account": f"{opened.connector.key}:{opened.connector.account(settings)}",
            "account_name": health.account,
            "state": ConnectionState.ACTIVE.value,
            "state_reason": None,
        }
    await _change(office, workspace_id, connection_id, changes)
    await forget_unread(office, former)
    return health


async def check_connection(office: Office, workspace_id: UUID, connection_id: UUID) -> Health:
    """Try the connection as it stands. A vendor's refusal comes back as a Health that isn't ok."""
    opened = await open_connection(office, workspace_id, connection_id)
    await try_now(office.database, workspace_id, opened.account)
    try:
        async with session(office, opened, urgent=True) as client:
            return await opened.connector.check(client)
    except VendorError as error:
        return Health(ok=False, sentence=error.sentence)


async def pause(office: Office, workspace_id: UUID, connection_id: UUID) -> None:
    """Stop scheduled and requested syncs, until ``resume``. A run under way ends after its page."""
    await _change(
        office, workspace_id, connection_id, {"state": ConnectionState.PAUSED.value, "state_reason": None}
    )


async def resume(office: Office, workspace_id: UUID, connection_id: UUID) -> None:
    """Let a paused or stopped connection go on, from where it was."""
    await _change(
        office,
        workspace_id,
        connection_id,
        {"state": ConnectionState.ACTIVE.value, "state_reason": None, "next_run_at": text("now()")},
    )


async def resync(
    office: Office,
    workspace_id: UUID,
    connection_id: UUID,
    stream: str | None = None,
    *,
    within: AsyncConnection | None = None,
) -> None:
    """Forget how far the streams are read, so that the next run reads them from the beginning. Nothing that is
    here is lost: what comes unchanged costs no write. ``within``: the transaction, if not one of its own."""
    states = update(StreamState).where(
        StreamState.workspace_id == workspace_id, StreamState.connection_id == connection_id
    )
    if stream is not None:
        states = states.where(StreamState.stream == stream)
    async with office.database.within(workspace_id, within) as db:
        changed = await db.execute(
            states.values(cursor=None, position=None, reread_from=None, epoch=StreamState.epoch + 1)
        )
        if changed.rowcount == 0:
            raise NotFound("There is no such connection or stream.")


async def remove_connection(
    office: Office, workspace_id: UUID, connection_id: UUID, *, with_data: bool = False
) -> None:
    """Remove a connection, its secrets and its uploaded file. Its data stays, unless ``with_data`` asks to remove
    what was read through it as well; clients' figures are then settled anew."""
    uploads = references_of(office, await _row(office, workspace_id, connection_id))
    async with office.database.loading(workspace_id) as db:
        if with_data:
            await remove_data(driver(db), workspace_id, connection_id)
        for table in ("stream_run", "sync_run", "stream_state", "connection"):
            column = {"connection": "id", "stream_run": "run_id"}.get(table, "connection_id")
            where = "in (select id from sync_run where workspace_id = :ws and connection_id = :id)"
            await db.execute(
                text(
                    f"delete from {table} where workspace_id = :ws and {column} "  # noqa: S608 - names are ours
                    + (where if table == "stream_run" else "= :id")
                ),
                {"ws": workspace_id, "id": connection_id},
            )
    await forget_unread(office, uploads)


async def open_connection(office: Office, workspace_id: UUID, connection_id: UUID) -> Opened:
    """The connection with its settings, secrets opened. Raises NotFound."""
    return _open(office, await _row(office, workspace_id, connection_id), workspace_id)


def session(office: Office, opened: Opened, *, urgent: bool = False) -> Any:
    """A client that talks to the vendor for this connection (an async context manager). What is ``urgent`` goes
    before all reading of the account."""
    tokens = None
    if opened.connector.tokens is not None:
        tokens = StoredTokens(office.database, office.keyring, opened.workspace_id, opened.id)
    database, workspace_id, account = office.database, opened.workspace_id, opened.account
    return vendor_client(
        opened.connector,
        opened.settings,
        core=office.settings,
        budget=Budget(database, workspace_id, account, opened.connector.limits, urgent=urgent),
        tokens=tokens,
        breaker=Breaker(database, workspace_id, account),
    )


def _connector(key: str) -> Connector[Any]:
    try:
        return connector(key)
    except BadSettings as error:
        problem = SettingsProblem("connector", error.sentence, "NO_SUCH_CONNECTOR", {"key": key})
        raise SettingsRefused([problem]) from None


async def _try_out(
    office: Office, workspace_id: UUID, found: Connector[Any], settings: ConnectorSettings
) -> tuple[ConnectorSettings, Health]:
    """Check settings that aren't stored. If the check had to refresh the tokens, the settings returned hold the
    new pair: a one-use refresh token must not be lost."""
    budget = Budget(office.database, workspace_id, f"{found.key}:{found.account(settings)}", found.limits)
    try:
        unstored = Unstored(found, settings) if found.tokens is not None else None
        async with vendor_client(found, settings, core=office.settings, budget=budget, tokens=unstored) as client:
            health = await found.check(client)
    except VendorError as error:
        field = error.field if isinstance(error, BadSettings) else None
        raise SettingsRefused([SettingsProblem(field, error.sentence)]) from None
    if not health.ok:
        raise SettingsRefused([SettingsProblem(None, health.sentence)])
    if unstored is not None and found.tokens is not None and unstored.tokens != found.tokens(settings):
        pair: dict[str, SecretStr | None] = {ACCESS_TOKEN: SecretStr(unstored.tokens.access_token)}
        if unstored.tokens.refresh_token is not None:
            pair[REFRESH_TOKEN] = SecretStr(unstored.tokens.refresh_token)
        if AUTHORIZATION_CODE in found.settings.model_fields:
            pair[AUTHORIZATION_CODE] = None  # it works once
        settings = settings.model_copy(update=pair)
    return settings, health


def _seal(settings: ConnectorSettings, key: DataKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings apart: plain values, and sealed secrets."""
    plain: dict[str, Any] = settings.model_dump(mode="json")
    sealed: dict[str, Any] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            del plain[name]
            sealed[name] = key.seal(value.get_secret_value(), field=name)
    return plain, sealed


def _revealed(settings: ConnectorSettings) -> dict[str, Any]:
    return {
        name: value.get_secret_value() if isinstance(value := getattr(settings, name), SecretStr) else value
        for name in type(settings).model_fields
    }


async def _row(office: Office, workspace_id: UUID, connection_id: UUID) -> RowMapping:
    async with office.database.workspace(workspace_id) as db:
        row = (
            (
                await db.execute(
                    select(Connection.__table__, Workspace.phone_region)
                    .join(Workspace, Workspace.id == Connection.workspace_id)
                    .where(Connection.workspace_id == workspace_id, Connection.id == connection_id)
                )
            )
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise NotFound("There is no such connection in this workspace.")
    return row


def _open(office: Office, row: RowMapping, workspace_id: UUID) -> Opened:
    found = _connector(row["connector"])
    key = office.keyring.unwrap(row["data_key"], workspace=workspace_id, connection=row["id"])
    secrets = {name: key.open(sealed, field=name).reveal() for name, sealed in row["secrets"].items()}
    return Opened(
        id=row["id"],
        workspace_id=workspace_id,
        title=row["title"],
        account=row["account"],
        connector=found,
        settings=parse_settings(found, row["settings"] | secrets),
        region=row["phone_region"],
    )


async def _change(office: Office, workspace_id: UUID, connection_id: UUID, values: dict[str, Any]) -> None:
    async with office.database.workspace(workspace_id) as db:
        changed = await db.execute(
            update(Connection)
            .where(Connection.workspace_id == workspace_id, Connection.id == connection_id)
            .values(**values)
        )
    if changed.rowcount == 0:
        raise NotFound("There is no such connection in this workspace.")
