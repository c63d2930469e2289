"""Deals and the pipelines that they go through."""

from __future__ import annotations

from api.graphql.declare import Entity, Listing, column, many, one, table_of
from api.graphql.model.shared import OWN_RECORD, node_id, origin_fields, unified_fields
from schema import tables as t
from schema.enums import DealKind, DealStatus

DEAL = Entity(
    name="Deal",
    table=table_of(t.Deal),
    description="A possible or done sale.",
    deletable=True,
    order=(("createdAt", True),),
    own=OWN_RECORD,
    fields=(
        node_id("Deal"),
        column(t.Deal.title, "Title in the CRM.", filterable=True, sortable=True),
        column(t.Deal.kind, "What the deal is to the relation with the client.", enum=DealKind, filterable=True),
        column(t.Deal.status, "Whether it is open, won or lost.", enum=DealStatus, filterable=True),
        column(t.Deal.amount, "Sum of the deal in `currency`.", filterable=True, sortable=True, money="currency"),
        column(t.Deal.currency, "ISO 4217 code of the sum's currency.", filterable=True),
        column(t.Deal.created_at, "When it was made in the CRM.", filterable=True, sortable=True),
        column(t.Deal.closed_at, "When it was won or lost.", filterable=True, sortable=True),
        column(t.Deal.expected_at, "The day on which it is expected to close.", filterable=True, sortable=True),
        column(t.Deal.lost_reason, "Why it was lost, as the CRM says.", filterable=True),
        column(t.Deal.tags, "Tags given in the CRM.", filterable=True),
        one("client", "Client", t.Deal.client_id, "The client who buys; null while nothing tells."),
        one("contact", "Contact", t.Deal.contact_id, "The person whom the deal names."),
        one("company", "Company", t.Deal.company_id, "The organisation that the deal names."),
        one("lead", "Lead", t.Deal.lead_id, "The lead that it grew out of."),
        one("pipeline", "Pipeline", t.Deal.pipeline_id, "The pipeline that it goes through."),
        one("stage", "Stage", t.Deal.stage_id, "The stage where it stands now."),
        one("responsible", "User", t.Deal.responsible_id, "The employee in charge."),
        Listing(
            name="stageChanges",
            target="StageChange",
            description="The stages that it came to, in order of time.",
            on="{t}.deal_id = {x}.id",
            order="{t}.changed_at, {t}.id",
        ),
        many("calls", "Call", t.Call.deal_id, "Calls that belong to it, newest first."),
        many("notes", "Note", t.Note.deal_id, "Notes about it, newest first."),
        many("tasks", "Task", t.Task.deal_id, "What is to be done for it, newest first."),
        *origin_fields(t.Deal),
        *unified_fields(t.Deal),
    ),
)

PIPELINE = Entity(
    name="Pipeline",
    table=table_of(t.Pipeline),
    description="A way of stages that deals go through.",
    deletable=True,
    order=(("sort", False),),
    fields=(
        node_id("Pipeline"),
        column(t.Pipeline.name, "Name in the CRM.", filterable=True, sortable=True),
        column(t.Pipeline.sort, "Place among the pipelines.", sortable=True),
        Listing(
            name="stages",
            target="Stage",
            description="Its stages in their order.",
            on="{t}.pipeline_id = {x}.id",
            order="{t}.sort, {t}.id",
        ),
        many("deals", "Deal", t.Deal.pipeline_id, "Deals that go through it, newest first."),
        *unified_fields(t.Pipeline),
    ),
)

STAGE = Entity(
    name="Stage",
    table=table_of(t.Stage),
    description="A stage of a pipeline.",
    deletable=True,
    fields=(
        node_id("Stage"),
        column(t.Stage.name, "Name in the CRM.", filterable=True, sortable=True),
        column(t.Stage.sort, "Place within the pipeline.", sortable=True),
        column(t.Stage.status, "What a deal in this stage is.", enum=DealStatus, filterable=True),
        one("pipeline", "Pipeline", t.Stage.pipeline_id, "The pipeline that it belongs to."),
        many("deals", "Deal", t.Deal.stage_id, "Deals that stand there now, newest first."),
        many("stageChanges", "StageChange", t.StageChange.stage_id, "When deals came there, newest first."),
        *unified_fields(t.Stage),
    ),
)

_OF_OWN_DEAL = (
    "exists(select from deal od where od.workspace_id = {x}.workspace_id and od.id = {x}.deal_id and "
    + OWN_RECORD.replace("{x}", "od")
    + ")"
)

STAGE_CHANGE = Entity(
    name="StageChange",
    table=table_of(t.StageChange),
    description="A deal came to a stage.",
    deletable=True,
    order=(("changedAt", True),),
    own=_OF_OWN_DEAL,
    fields=(
        node_id("StageChange"),
        column(t.StageChange.changed_at, "When it came there.", filterable=True, sortable=True),
        one("deal", "Deal", t.StageChange.deal_id, "The deal."),
        one("stage", "Stage", t.StageChange.stage_id, "The stage that it came to."),
        one("pipeline", "Pipeline", t.StageChange.pipeline_id, "The pipeline of that stage."),
        *unified_fields(t.StageChange),
    ),
)

ENTITIES = (DEAL, PIPELINE, STAGE, STAGE_CHANGE)
