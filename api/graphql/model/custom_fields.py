# ruff: noqa: S608 - the SQL is put together from declarations of ours; values are bound, never written in
"""The fields that vendors' accounts have of their own: what they are, what became of them, what fills what."""

from __future__ import annotations

from typing import Any

from api.graphql.custom import as_number, elements
from api.graphql.declare import Entity, Kind, Listing, Many, One, column, computed, table_of
from api.graphql.masks import Mask
from schema import tables as t
from schema.enums import CustomFieldType, RecordKind, SchemaChangeKind

_KIND_OF_TABLE = {kind.table: kind for kind in RecordKind}
_OF_FIELD = "{t}.connection_id = {x}.connection_id and {t}.record_kind = {x}.record_kind and {t}.key = {x}.key"
_CONNECTION = One(
    name="connection",
    target="ConnectedSystem",
    description="The account; null if it isn't connected any more.",
    on="{t}.id = {x}.connection_id",
)

CUSTOM_FIELD = Entity(
    name="CustomField",
    table=table_of(t.CustomField),
    node=False,
    key="key",
    key_kind=Kind.STRING,
    description="A field that a vendor's account has of its own: listed by the vendor, or met in its records.",
    fields=(
        column(t.CustomField.record_kind, "Whose field it is.", name="of", enum=RecordKind),
        column(t.CustomField.key, "The vendor's key, for `customField(key:)`, filters, orders and groups."),
        column(t.CustomField.label, "The vendor's name for it; the key where the vendor tells none."),
        column(
            t.CustomField.type, "What its values are; guessed from records if not `declared`.", enum=CustomFieldType
        ),
        column(t.CustomField.multiple, "Whether it may hold several values, as a list."),
        Listing(
            name="options",
            target="CustomFieldOption",
            description="What can be chosen, in the vendor's order; empty where there is no choice.",
            source="(select o.value ->> 'value' as value, o.value ->> 'label' as label, o.place "
            "from jsonb_array_elements({x}.options) with ordinality o(value, place)) {t}",
            on="true",
            order="{t}.place",
        ),
        column(t.CustomField.declared, "Whether the vendor lists it; else only records show it."),
        column(t.CustomField.first_seen_at, "When it was first listed or met."),
        column(t.CustomField.last_seen_at, "When it was last listed or met; to the hour."),
        column(t.CustomField.gone_at, "Since when the vendor doesn't list it any more; null while it does."),
        column(
            t.CustomField.filled,
            "How many of the newest records have it, out of `sampled`; an hour old at most.",
            name="records",
        ),
        column(t.CustomField.sampled, "How many of the newest records were looked at; 0 if none were yet."),
        computed(
            "fillShare",
            Kind.FLOAT,
            "({x}.filled::float8 / nullif({x}.sampled, 0))",
            "Share of the newest records that have it, 0 to 1; null if none were looked at.",
        ),
        column(
            t.CustomField.samples,
            "Up to five different values, as a JSON array; null for roles that see personal data masked.",
            mask=Mask.HIDDEN,
        ),
        computed(
            "fills",
            Kind.STRING,
            "array(select m.target from field_mapping m where m.workspace_id = {x}.workspace_id "
            "and m.connection_id = {x}.connection_id and m.record_kind = {x}.record_kind and m.key = {x}.key "
            "order by m.target)",
            "The unified fields that it is mapped to (`lost_reason`); see `mapCustomField`.",
            many=True,
        ),
        _CONNECTION,
    ),
)

OPTION = Entity(
    name="CustomFieldOption",
    table="options",
    node=False,
    tenant=None,
    key="value",
    key_kind=Kind.STRING,
    description="One of the things that can be chosen in a vendor's own field.",
    fields=(
        computed("value", Kind.STRING, "{x}.value", "What stands in records: often a number.", nullable=False),
        computed("label", Kind.STRING, "{x}.label", "What people see.", nullable=False),
    ),
)

_TEXTS = elements("{x}.value")
_LABEL = (
    "(select o.value ->> 'label' from jsonb_array_elements({x}.options) o "
    "where o.value ->> 'value' = v.text limit 1)"
)
_TEXT = "({x}.value #>> '{{}}')"
_NUMBER = as_number(_TEXT)

CUSTOM_VALUE = Entity(
    name="CustomValue",
    table="custom_values",
    node=False,
    tenant=None,
    key="key",
    key_kind=Kind.STRING,
    description="What a record has in one of the vendor's own fields. Values are null for roles that see personal "
    "data masked.",
    fields=(
        computed("key", Kind.STRING, "{x}.key", "The vendor's key.", nullable=False),
        computed("label", Kind.STRING, "{x}.label", "The vendor's name for the field.", nullable=False),
        computed("type", Kind.STRING, "{x}.type", "What its values are.", enum=CustomFieldType),
        computed("value", Kind.JSON, "{x}.value", "The value as the vendor has it.", mask=Mask.HIDDEN),
        computed(
            "text",
            Kind.STRING,
            f"(select string_agg(coalesce({_LABEL}, v.text), ', ' order by v.place) "
            f"from {_TEXTS} with ordinality v(text, place))",
            "The value for people: options by their labels, several joined by commas.",
            mask=Mask.HIDDEN,
        ),
        computed(
            "number",
            Kind.DECIMAL,
            f"(case when {{x}}.type in ('number', 'money') then {_NUMBER} end)",
            "The number, or the sum without its currency; null of other types.",
            mask=Mask.HIDDEN,
        ),
        computed(
            "flag",
            Kind.BOOLEAN,
            f"(case when {{x}}.type = 'boolean' then lower({_TEXT}) in ('true', '1', 'y') end)",
            "Yes or no; null of other types.",
            mask=Mask.HIDDEN,
        ),
        computed(
            "date",
            Kind.DATE,
            f"(case when {{x}}.type in ('date', 'datetime') then day_of({_TEXT}) end)",
            "The day, on the vendor's own calendar; null of other types.",
            mask=Mask.HIDDEN,
        ),
        computed(
            "dateTime",
            Kind.DATE_TIME,
            f"(case when {{x}}.type = 'datetime' then moment_of({_TEXT}) end)",
            "The moment; null of other types, and where the vendor tells no offset.",
            mask=Mask.HIDDEN,
        ),
    ),
)

SCHEMA_CHANGE = Entity(
    name="SchemaChange",
    table=table_of(t.SchemaChange),
    node=False,
    description="A change of the fields that a vendor's account has of its own.",
    order=(("at", True),),
    fields=(
        column(t.SchemaChange.at, "When it was noticed.", filterable=True, sortable=True),
        column(t.SchemaChange.change, "What became of the field.", enum=SchemaChangeKind, filterable=True),
        column(t.SchemaChange.record_kind, "Whose field it is.", name="of", enum=RecordKind, filterable=True),
        column(t.SchemaChange.key, "The vendor's key.", filterable=True),
        column(t.SchemaChange.label, "The vendor's name for it, as it was called then."),
        column(t.SchemaChange.before, "The former name, type or options; null where there were none."),
        column(t.SchemaChange.after, "The new ones; null where there are none."),
        One(
            name="field",
            target="CustomField",
            description="The field as it is now.",
            on=_OF_FIELD,
        ),
        One(name="run", target="SyncRun", description="The sync that noticed it.", on="{t}.id = {x}.run_id"),
        _CONNECTION,
    ),
)

FIELD_MAPPING = Entity(
    name="FieldMapping",
    table=table_of(t.FieldMapping),
    node=False,
    key="target",
    key_kind=Kind.STRING,
    description="A user's word that a vendor's own field fills a field of the unified model.",
    fields=(
        column(t.FieldMapping.record_kind, "Whose fields these are.", name="of", enum=RecordKind),
        column(t.FieldMapping.target, "The unified field that is filled (`lost_reason`).", name="fills"),
        column(t.FieldMapping.key, "The vendor's key."),
        One(name="field", target="CustomField", description="The vendor's field.", on=_OF_FIELD),
        computed(
            "waiting",
            Kind.BOOLEAN,
            "({x}.pending <> '{{}}')",
            "Whether stored records are still being mapped anew for it.",
            nullable=False,
        ),
        column(t.FieldMapping.changed_at, "When it was set."),
        _CONNECTION,
    ),
)

OF_CONNECTION: tuple[Listing | Many, ...] = (
    Listing(
        name="customFields",
        target="CustomField",
        description="The fields that the account has of its own.",
        on="{t}.connection_id = {x}.id",
        order="{t}.record_kind, {t}.label, {t}.key",
    ),
    Listing(
        name="fieldMappings",
        target="FieldMapping",
        description="Which of them fill fields of the unified model.",
        on="{t}.connection_id = {x}.id and {t}.key is not null",
        order="{t}.record_kind, {t}.target",
    ),
    Many(
        name="schemaChanges",
        target="SchemaChange",
        description="What became of these fields, newest first.",
        on="{t}.connection_id = {x}.id",
    ),
)
"""What a connected system shows of its own fields."""

ENTITIES = (CUSTOM_FIELD, OPTION, CUSTOM_VALUE, SCHEMA_CHANGE, FIELD_MAPPING)


def custom_values(table: Any) -> Listing:
    """What a row of ``table`` has in the vendor's own fields, each with its label and type."""
    kind = _KIND_OF_TABLE[table.__tablename__].value
    return Listing(
        name="customValues",
        target="CustomValue",
        description="What the record has in the vendor's own fields, with names and types.",
        source=(
            "(select e.key, e.value, coalesce(f.label, e.key) as label, f.type, f.options "
            "from jsonb_each(case jsonb_typeof({x}.custom) when 'object' then {x}.custom end) e "
            "left join custom_field f on f.workspace_id = {x}.workspace_id and f.connection_id = {x}.connection_id "
            f"and f.record_kind = '{kind}' and f.key = e.key where e.value <> 'null'::jsonb) {{t}}"
        ),
        on="true",
        order="{t}.label, {t}.key",
    )
