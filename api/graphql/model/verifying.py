"""Verifications: whether everything is here, by comparison with the external systems."""

from __future__ import annotations

from api.graphql.declare import Entity, Kind, Listing, Many, One, column, computed, one, table_of
from api.graphql.model.shared import in_language, node_id
from schema import tables as t
from schema.enums import RunTrigger

_LATEST = (
    "(select v.* from verification v where v.workspace_id = {x}.workspace_id and v.connection_id = {x}.id"
    " and v.state <> 'running' order by v.started_at desc limit 1) {t}"
)

_ALARMS_RU = "coalesce(' ' || nullif(array_to_string({x}.alarms, ' '), ''), '')"
_VERIFIED_RU = (
    "case when {x}.sentence is null then null when {x}.state = 'failed' "
    "then 'Сверка не завершена: ' || regexp_replace({x}.sentence, '^It was not finished: ', '') "
    f"when {{x}}.wrong = 0 then 'Всё на месте: сверено записей: ' || {{x}}.there || '.' || {_ALARMS_RU} "
    "else 'Записи не такие, как там: ' || {x}.wrong || ' из ' || {x}.there || '; исправлено: ' "
    f"|| ({{x}}.mended + {{x}}.deleted) || '.' || {_ALARMS_RU} end"
)
_FOUND_RU = (
    "case when {x}.error is not null then 'Сверить не удалось: ' || {x}.error "
    "when not {x}.compared then 'Сверять не с чем: такого списка система не даёт.' "
    "when {x}.missing + {x}.extra + {x}.different + {x}.links > 0 then concat_ws('; ', "
    "'не хватает: ' || nullif({x}.missing, 0), 'удалено там: ' || nullif({x}.extra, 0), "
    "'отличается: ' || nullif({x}.different, 0), 'с другими связями: ' || nullif({x}.links, 0), "
    "'исправлено: ' || nullif({x}.mended, 0), 'отмечено удалённым: ' || nullif({x}.deleted, 0), "
    "'в карантине: ' || nullif({x}.waiting, 0)) || coalesce('. ' || {x}.brake, '.') "
    "when {x}.sentence not like 'Everything is here%%' then 'Числа записей расходятся: там ' || {x}.there "
    "|| ', здесь ' || {x}.here || '.' "
    "else 'Всё на месте: ' || {x}.there || '.' "
    "|| coalesce(' В карантине: ' || nullif({x}.waiting, 0) || '.', '') end"
)

OF_CONNECTION = (
    One(
        name="lastVerification",
        target="Verification",
        description="The last comparison with the system that has ended, whatever it found.",
        on="true",
        source=_LATEST,
    ),
    Many(
        name="verifications",
        target="Verification",
        description="Its comparisons with the system, newest first.",
        on="{t}.connection_id = {x}.id",
    ),
)

_OF_STREAM = (
    "(select s.* from verification_stream s join verification v on v.workspace_id = s.workspace_id"
    " and v.id = s.verification_id where s.workspace_id = {x}.workspace_id and s.stream = {x}.stream"
    " and v.connection_id = {x}.connection_id order by s.finished_at desc limit 1) {t}"
)

OF_STREAM = (
    One(
        name="lastVerification",
        target="VerifiedStream",
        description="What the last comparison with the system found in it.",
        on="true",
        source=_OF_STREAM,
    ),
)

_COUNTS = (
    ("missing", "Records that are there and were not here."),
    ("extra", "Records that are here and were deleted there."),
    ("different", "Records that are here in another state."),
    ("links", "Records that are here and hang on other records than there."),
)

VERIFICATION = Entity(
    name="Verification",
    table=table_of(t.Verification),
    description="One comparison of a connection with its system: whether everything is here.",
    order=(("startedAt", True),),
    fields=(
        node_id("Verification"),
        column(t.Verification.trigger, "What started it.", enum=RunTrigger, filterable=True),
        column(t.Verification.state, "`running`, `succeeded` (it came to its end) or `failed`.", filterable=True),
        computed(
            "sentence",
            Kind.STRING,
            in_language("{x}.sentence", _VERIFIED_RU),
            "The result in one sentence in the caller's language; null while it is under way.",
        ),
        column(t.Verification.started_at, "When it began.", filterable=True, sortable=True),
        column(t.Verification.finished_at, "When it ended."),
        column(t.Verification.there, "Records that the system told of."),
        column(t.Verification.wrong, "Records that were not here as they are there."),
        column(t.Verification.mended, "Records that were brought here by it."),
        column(t.Verification.deleted, "Records that it marked as deleted."),
        column(
            t.Verification.alarms, "What a person should look at, a sentence each: deletions that look wrong, say."
        ),
        column(t.Verification.requests, "Requests sent to the external system."),
        one("connection", "ConnectedSystem", t.Verification.connection_id, "The connection."),
        one("run", "SyncRun", t.Verification.run_id, "The run by which records were brought here, if any were."),
        Listing(
            name="streams",
            target="VerifiedStream",
            description="What it found in each stream.",
            on="{t}.verification_id = {x}.id",
            order="{t}.finished_at, {t}.stream",
        ),
    ),
)

VERIFIED_STREAM = Entity(
    name="VerifiedStream",
    table=table_of(t.VerificationStream),
    node=False,
    key="verification_id",
    description="What a verification found in one stream.",
    fields=(
        column(t.VerificationStream.stream, "Name of the stream.", name="name"),
        computed(
            "sentence",
            Kind.STRING,
            in_language("{x}.sentence", _FOUND_RU),
            "The result in one sentence in the caller's language.",
            nullable=False,
        ),
        column(t.VerificationStream.compared, "False where the system has no list to compare with."),
        column(t.VerificationStream.there, "Records that the system told of."),
        column(t.VerificationStream.here, "Records that were here."),
        *(column(getattr(t.VerificationStream, name), text) for name, text in _COUNTS),
        column(t.VerificationStream.waiting, "Records that are there, and here in quarantine."),
        column(t.VerificationStream.sampled, "Records that were fetched one by one and compared to the byte."),
        column(t.VerificationStream.mended, "Records that were brought here."),
        column(t.VerificationStream.deleted, "Records that were marked as deleted."),
        column(t.VerificationStream.wrong_since, "Since when it was wrong."),
        column(t.VerificationStream.brake, "Why nothing was marked as deleted, where a brake held."),
        column(t.VerificationStream.error, "Why it could not be compared to its end."),
        column(t.VerificationStream.finished_at, "When it was compared."),
        Listing(
            name="parts",
            target="VerifiedPart",
            description="Part by part: months, or days of a short period.",
            on="{t}.verification_id = {x}.verification_id and {t}.stream = {x}.stream",
            order="{t}.number",
        ),
    ),
)

VERIFIED_PART = Entity(
    name="VerifiedPart",
    table=table_of(t.VerificationPart),
    node=False,
    key="verification_id",
    description="What a verification found in one part of a stream.",
    fields=(
        column(t.VerificationPart.since, "Its first moment; null: from the beginning."),
        column(t.VerificationPart.until, "The moment after it; null: to the present."),
        column(t.VerificationPart.there, "Records that the system told of."),
        column(t.VerificationPart.here, "Records that were here."),
        column(t.VerificationPart.total, "What the system itself says is their number, where it says so."),
        *(
            column(
                getattr(t.VerificationPart, name),
                f"{text.removesuffix('.')}: their ids in the system, a thousand at most.",
                name=f"{name}Ids",
            )
            for name, text in _COUNTS
        ),
        column(t.VerificationPart.wrong_since, "Since when it was wrong."),
        one("run", "SyncRun", t.VerificationPart.run_id, "The first sync that should have known."),
    ),
)

ENTITIES = (VERIFICATION, VERIFIED_STREAM, VERIFIED_PART)
