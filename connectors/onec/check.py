"""Whether a base's settings work, in words for the person who typed them."""

from __future__ import annotations

import msgspec

from connectors.contract import Health, VendorRequest, VendorSession
from connectors.errors import BadSettings, NotPermitted, Transient, VendorError
from connectors.onec import metadata
from connectors.onec.changes import ask_nodes, node_of
from connectors.onec.odata import ask, rows, text
from connectors.onec.profile import near, parse
from connectors.onec.settings import OneCSettings, account

PHONE_KIND = {"ut11": "ТелефонПартнера", "crm3": "ТелефонПартнера"}
EMAIL_KIND = {"ut11": "EmailПартнера", "crm3": "EmailПартнера"}
_KINDS = "Catalog_ВидыКонтактнойИнформации"
_NEEDED = "partners"
_MOST = 12  # warnings; more say nothing more


async def check(session: VendorSession[OneCSettings]) -> Health:
    """Read what the base has, and compare each name of the profile with it.

    Never raises for what the settings cause: the sentence says it.
    """
    settings, base = session.settings, account(session.settings)
    try:
        found = await _metadata(session)
        faults = list(metadata.faults(settings.names, found))
        wrong = _typed_wrong(settings, faults)
        if wrong is not None:
            return Health(False, wrong, base)
        warnings = [fault.sentence for fault in faults]
        lacking = {fault.role for fault in faults if fault.word == "set"}
        if _NEEDED in lacking:
            return Health(False, _no_partners(settings, warnings), base)
        warnings += await _unreadable(session, lacking)
        warnings += await _plan(session, found)
        warnings += await _kinds(session, found)
    except Transient as error:
        return Health(False, f"{error.sentence} Check the address and the 1C user, or try again later.", base)
    except msgspec.MsgspecError:
        return Health(False, "What answers there isn't 1C's OData interface: check the address.", base)
    except VendorError as error:
        return Health(False, error.sentence, base)
    told = warnings if len(warnings) <= _MOST else [*warnings[:_MOST], f"And {len(warnings) - _MOST} more."]
    sets = len(settings.names.roles) - len(lacking)
    return Health(True, f"Connected to {base}: {sets} lists are published for it.", base, tuple(told))


async def _metadata(session: VendorSession[OneCSettings]) -> metadata.Metadata:
    answer = await session.send(VendorRequest("/$metadata"))
    return metadata.read(answer.content, metadata.wanted_of(session.settings.names))


def _typed_wrong(settings: OneCSettings, faults: list[metadata.Fault]) -> str | None:
    """What the user has typed himself must be right; what a profile names may be missing in a base."""
    typed = {(role, word) for role, word, _ in parse(settings.overrides)}
    return next((fault.sentence for fault in faults if (fault.role, fault.word) in typed), None)


def _no_partners(settings: OneCSettings, warnings: list[str]) -> str:
    return (
        f"{warnings[0]} Publish it (the contents of the standard OData interface), or choose the configuration "
        f"that the base has: {settings.profile} is set."
    )


async def _unreadable(session: VendorSession[OneCSettings], lacking: set[str]) -> list[str]:
    """One record of each list is asked for: a list may be published and yet forbidden to the user [3]."""
    told = []
    settings = session.settings
    for role in settings.names.roles.values():
        if role.name in lacking:
            continue
        try:
            rows(await session.send(ask(role.set, select=("Ref_Key",), top=1, allowed_only=settings.allowed_only)))
        except NotPermitted as error:
            told.append(f"{role.set} isn't read: {error.sentence}")
    return told


async def _plan(session: VendorSession[OneCSettings], found: metadata.Metadata) -> list[str]:
    settings = session.settings
    if not settings.exchange_plan:
        return []
    if settings.exchange_plan not in found.sets:
        plans = {name for name in found.sets if name.startswith("ExchangePlan_")}
        close = near(settings.exchange_plan, plans) or " No exchange plan is published."
        raise BadSettings(f"The base publishes no {settings.exchange_plan}.{close}", "exchange_plan")
    node_of(settings, await session.send(ask_nodes(settings)))
    return []


async def _kinds(session: VendorSession[OneCSettings], found: metadata.Metadata) -> list[str]:
    """The keys that writing phones and e-mails needs, for those who want to write them."""
    settings = session.settings
    if _KINDS not in found.sets:
        return []
    told = []
    for setting, name, given in (
        ("phone_kind", PHONE_KIND[settings.profile], settings.phone_kind),
        ("email_kind", EMAIL_KIND[settings.profile], settings.email_kind),
    ):
        if given:
            continue
        answer = await session.send(ask(_KINDS, select=("Ref_Key",), where=f"PredefinedDataName eq {text(name)}"))
        told += [
            f"To write into 1C, set {setting} to {record.external_id} ({name})." for record in rows(answer)[:1]
        ]
    return told
