"""From files to records: guessed columns, ids that last, sums and refusals by row."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from connectors.contract import Start, VendorRequest, VendorResponse
from connectors.errors import BadRecord, BadSettings
from connectors.file import CONNECTOR
from connectors.file.fields import SHAPES, Kind
from connectors.file.mapping import KINDS
from connectors.file.preview import preview_of
from connectors.file.reads import check
from connectors.file.records import Reading, reading_of
from connectors.file.settings import FileSettings
from connectors.file.store import keep
from connectors.file.table import table_of
from connectors.file.vendor import answer
from schema.enums import DealStatus, Direction
from schema.records import AdSpendRecord, CallRecord, CompanyRecord, ContactRecord, DealRecord
from schema.traffic import CampaignKey, Traffic, origin
from sync.errors import SettingsRefused
from sync.parsing import parse_settings
from tests.connectors.file.workbooks import workbook

COSTS = """Отчёт за март;;;;;
Дата;Кампания;Источник;Расход, руб. с НДС;Показы;Клики
01.03.2026;Весна;vk;1 234,50;1 000;12
02.03.2026;Весна;vk;2 000,00;900;10
02.03.2026;Весна;VK;10,25;100;1
03.03.2026;Бренд;vk;#ДЕЛ/0!;1;1
Итого;;;3 244,75;2000;23
"""


def settings(kind: Kind, **values: Any) -> FileSettings:
    return FileSettings.model_validate({"kind": kind, "file": "0" * 64, **values})


def reading(content: str | bytes, kind: Kind, **values: Any) -> Reading:
    body = content if isinstance(content, bytes) else content.encode()
    return reading_of(table_of(body, kind), settings(kind, **values))


def mapped(found: Reading, kind: Kind, **values: Any) -> list[Any]:
    return [each for raw in found.records for each in KINDS[kind](settings(kind, **values), raw.body)]


def fields(found: Reading) -> dict[str, str]:
    return {match.column: match.field for match in found.matches}


FRAUD_CLICKS = """Дата клика;ID кампании;Платформа;Причина
01.03.2026 10:15:00;101234567;yandex_direct;дата-центр
01.03.2026 23:59:00;101234567;yandex_direct;частые клики
02.03.2026 00:01:00;101234567;yandex_direct;дата-центр
"""
FRAUD_SUMS = """Дата;Кампания;Источник;Клики;Скликано;Потери
01.03.2026;Весна;vk;120;7;350,10
02.03.2026;Весна;vk;100;0;0
Итого;;;220;7;350,10
"""


def test_fraudulent_clicks_are_counted_by_row_or_by_their_number() -> None:
    first, second = mapped(reading(FRAUD_CLICKS, Kind.FRAUD), Kind.FRAUD)
    assert (first.day, first.clicks, first.cost) == (date(2026, 3, 1), 2, None)
    assert (second.day, second.clicks, first.reason) == (date(2026, 3, 2), 1, "дата-центр, частые клики")
    named = origin(first.traffic)
    assert named is not None
    assert named.campaign == CampaignKey("yandex_direct", "101234567")
    found = reading(FRAUD_SUMS, Kind.FRAUD)
    assert fields(found)["Скликано"] == "clicks"
    summed, nothing = mapped(found, Kind.FRAUD)
    assert (summed.clicks, summed.cost, summed.currency) == (7, Decimal("350.10"), "RUB")
    assert nothing.clicks == 0
    named = origin(summed.traffic)
    assert named is not None
    assert named.campaign == CampaignKey("utm", "vk/cpc/весна")


def test_costs_of_a_day_are_added_up_and_sums_left_out() -> None:
    found = reading(COSTS, Kind.COSTS)
    assert found.sums == (7,)
    first, second, bad = found.records
    (spend,) = KINDS[Kind.COSTS](settings(Kind.COSTS), second.body)
    assert spend == AdSpendRecord(
        external_id="utm/vk/cpc/весна/2026-03-02",
        platform="utm",
        campaign="vk/cpc/весна",
        campaign_name="Весна",
        day=date(2026, 3, 2),
        cost=Decimal("2010.25"),
        currency="RUB",
        vat_included=True,
        impressions=1000,
        clicks=11,
    )
    (one,) = KINDS[Kind.COSTS](settings(Kind.COSTS), first.body)
    assert one.cost == Decimal("1234.50")
    with pytest.raises(BadRecord, match="Row 6: A formula failed"):
        KINDS[Kind.COSTS](settings(Kind.COSTS), bad.body)


def test_costs_meet_the_visits_of_their_tags() -> None:
    (spend,) = mapped(
        reading("day,campaign,cost\n2026-03-02,Spring,5\n", Kind.COSTS, source="vk"), Kind.COSTS, source="vk"
    )
    visit = origin(Traffic(utm_source="vk", utm_medium="cpc", utm_campaign="Spring"))
    assert visit is not None
    assert visit.campaign is not None
    assert (spend.platform, spend.campaign) == (visit.campaign.platform, visit.campaign.external_id)


def test_a_day_with_one_line_that_cant_be_read_is_set_aside_whole() -> None:
    """A sum without that line would be wrong without a word."""
    found = reading("day,campaign,utm_source,cost\n2026-03-02,a,vk,5\n2026-03-02,a,vk,six\n", Kind.COSTS)
    (record,) = found.records
    with pytest.raises(BadRecord, match="Row 3: 'six' is no number"):
        KINDS[Kind.COSTS](settings(Kind.COSTS), record.body)


def test_the_same_table_in_another_format_order_and_spelling_is_the_same_records() -> None:
    rows = [("02.03.2026", "Весна", "vk", "2 010,25"), ("01.03.2026", "Бренд", "vk", "7,5")]
    text = "Дата;Кампания;Источник;Расход\n" + "\n".join(";".join(row) for row in rows)
    sheet = workbook(
        {"Лист": [["Отчёт"], ["Расход", "Источник", "Кампания", "Дата"],
                  [7.5, "vk", "Бренд", date(2026, 3, 1)], [2010.25, "vk", "Весна", 46083]]}
    )  # fmt: skip
    assert bodies(reading(text.encode("cp1251"), Kind.COSTS)) == bodies(reading(sheet, Kind.COSTS))


def bodies(found: Reading) -> dict[str, Any]:
    """The records as the engine compares them: without their volatile fields."""
    volatile = CONNECTOR.stream("costs").volatile
    return {
        raw.external_id: {k: v for k, v in msgspec.json.decode(raw.body).items() if k not in volatile}
        for raw in found.records
    }


def test_calls_with_date_and_time_apart() -> None:
    content = (
        "Дата\tВремя\tКто звонил\tКуда\tДлительность\tСтатус\tГород\n"
        "02.03.2026\t10:20\t79161234567\t74951234567\t0:01:05\tПринят\tКазань\n"
        "02.03.2026\t11:20\t8 (926) 111-22-33\t74951234567\t0\tПропущен\t\n"
        "02.03.2026\t11:25\t79261112233\t74951234567\t5\tПереведён\t\n"
        "02.03.2026\t10:15\t7.9161E+10\t74951234567\t5\tПринят\t\n"
    )
    found = reading(content.encode("utf-16"), Kind.CALLS)
    first, missed, moved, lost = found.records
    (call,) = KINDS[Kind.CALLS](settings(Kind.CALLS), first.body)
    assert isinstance(call, CallRecord)
    assert call.started_at.astimezone(UTC) == datetime(2026, 3, 2, 7, 20, tzinfo=UTC)
    assert (call.client_phone, call.tracking_phone) == ("+79161234567", "+74951234567")
    assert (call.talk_seconds, call.answered, call.status, call.direction) == (65, True, None, Direction.INBOUND)
    assert call.custom == {"Город": "Казань"}
    (call,) = KINDS[Kind.CALLS](settings(Kind.CALLS), missed.body)
    assert isinstance(call, CallRecord)
    assert not call.answered
    (call,) = KINDS[Kind.CALLS](settings(Kind.CALLS), moved.body)
    assert isinstance(call, CallRecord)
    assert (call.answered, call.status) == (True, "Переведён")
    with pytest.raises(BadRecord, match=r"Row 5: Excel has shortened"):
        KINDS[Kind.CALLS](settings(Kind.CALLS), lost.body)


def test_contacts_with_several_phones_and_a_company() -> None:
    content = (
        "ФИО,Телефон,Мобильный телефон,Почта,Компания,ИНН\n"
        '"Иванов, Иван",="79161234567","84951112233; 89261112233",IVAN@mail.ru,ООО «Ромашка»,7707083893\n'
        ",,,,,\n"
        ",,,нет,,\n"
    )
    found = reading(content, Kind.CONTACTS)
    company, contact = KINDS[Kind.CONTACTS](settings(Kind.CONTACTS), found.records[0].body)
    assert isinstance(company, CompanyRecord)
    assert isinstance(contact, ContactRecord)
    assert contact.phones == ("+79161234567", "84951112233", "89261112233")
    assert contact.emails == ("ivan@mail.ru",)
    assert contact.company == company.external_id
    assert company.tax_id == "7707083893"


def test_deals_with_their_client() -> None:
    content = (
        "Номер заказа;Дата;Клиент;Телефон;Сумма;Статус;Менеджер\n"
        "0017;02.03.2026;Анна;89161234567;1 500,00;Оплачен;Олег\n"
        "0018;02.03.2026;Пётр;89161234568;900;Отказ клиента;Олег\n"
        "0019;02.03.2026;;;900;В работе;Олег\n"
    )
    won_contact, won, _, lost, open_deal = mapped(reading(content, Kind.DEALS), Kind.DEALS)
    assert isinstance(won, DealRecord)
    assert (won.external_id, won.status, won.amount, won.currency) == (
        "id:0017",
        DealStatus.WON,
        Decimal("1500.00"),
        "RUB",
    )
    assert won.contact == won_contact.external_id
    assert won.closed_at == won.created_at
    assert (lost.status, open_deal.status, open_deal.contact) == (DealStatus.LOST, DealStatus.OPEN, None)
    assert won.custom == {"manager": "Олег", "status": "Оплачен"}


def test_a_table_of_sales_without_status_is_won_deals() -> None:
    (deal,) = mapped(reading("Дата,Название,Сумма\n02.03.2026,Уборка,100\n", Kind.DEALS), Kind.DEALS)
    assert deal.status is DealStatus.WON


def test_an_id_told_twice_holds_its_last_row_and_equal_rows_without_id_stay_two() -> None:
    found = reading("id,дата,сумма\n1,02.03.2026,5\n1,02.03.2026,6\n", Kind.DEALS)
    assert (len(found.records), found.repeated) == (1, 1)
    assert mapped(found, Kind.DEALS)[0].amount == 6
    calls = reading("date,phone\n02.03.2026 10:00,89161234567\n02.03.2026 10:00,89161234567\n", Kind.CALLS)
    assert len({call.external_id for call in mapped(calls, Kind.CALLS)}) == 2


def test_a_line_with_too_many_cells_is_told_with_its_row() -> None:
    found = reading("Дата;Сумма;Название\n02.03.2026;5;окна; двери\n03.03.2026;6;пол\n", Kind.DEALS)
    bad, good = found.records
    with pytest.raises(BadRecord, match="Row 2: it has 4 cells where the table has 3 columns"):
        KINDS[Kind.DEALS](settings(Kind.DEALS), bad.body)
    assert KINDS[Kind.DEALS](settings(Kind.DEALS), good.body)


@pytest.mark.parametrize(
    ("header", "row", "kind", "expected"),
    [
        ("Date,Campaign name,Amount spent (RUB),Impressions,Clicks", "2026-03-02,a,5,6,7", Kind.COSTS,
         {"Date": "day", "Campaign name": "utm_campaign", "Amount spent (RUB)": "cost",
          "Impressions": "impressions", "Clicks": "clicks"}),
        ("ДАТА ЗВОНКА,Номер абонента,Длит-ть,Направление", "02.03.2026 10:00,89161234567,5,Исходящий", Kind.CALLS,
         {"ДАТА ЗВОНКА": "started_at", "Номер абонента": "client_phone", "Направление": "direction"}),
        ("Кто это,Как связаться,Куда писать", "Анна,+7 916 123-45-67,a@b.ru", Kind.CONTACTS,
         {"Как связаться": "phones", "Куда писать": "emails"}),
        ("Order ID,Order date,Total,Customer,E-mail", "7,03/31/2026,\"1,234.50\",Ann,a@b.com", Kind.DEALS,
         {"Order ID": "id", "Order date": "created_at", "Total": "amount", "Customer": "client",
          "E-mail": "emails"}),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_name_and_content(
    header: str, row: str, kind: Kind, expected: dict[str, str]
) -> None:
    assert fields(reading(f"{header}\n{row}\n", kind)) == expected


def test_what_the_user_says_wins_over_the_guess() -> None:
    content = "Дата,Сумма,Бюджет,Название\n02.03.2026,1,2,x\n"
    assert fields(reading(content, Kind.DEALS))["Сумма"] == "amount"
    told = fields(reading(content, Kind.DEALS, columns={"Бюджет": "amount", "Сумма": "-"}))
    assert told == {"Дата": "created_at", "Бюджет": "amount", "Название": "title"}


def test_a_column_that_was_told_and_isnt_there_is_warned_of() -> None:
    content = b"date,amount\n02.03.2026,1\n"
    found = preview_of(content, settings(Kind.DEALS, columns={"Datum": "created_at", "date": "created_at"}))
    assert found.warnings == ("Columns that were told and that the file lacks: Datum.",)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"Дата": "nothing"}, "have no field 'nothing'; they have id"),
        ({"Дата": "-"}, "No column was found for created_at. The columns are: Дата, Сумма, Ещё"),
        ({"Сумма": "amount", "Ещё": "amount"}, "Two columns can't both be 'amount'"),
    ],
)
def test_a_wrong_map_is_refused_with_a_sentence(columns: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadSettings, match=sentence):
        reading("Дата,Сумма,Ещё\n02.03.2026,1,2\n", Kind.DEALS, columns=columns)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "moods", "file": "x"}, "«What the rows are» can't be used"),
        ({"kind": "costs"}, "«The uploaded file» is needed"),
        ({"kind": "costs", "file": "x", "columns": "Дата=day"}, "Write a JSON object"),
        ({"kind": "costs", "file": "x", "currency": "руб"}, "«Currency» can't be used"),
        ({"kind": "costs", "file": "x", "time_zone": "Moscow"}, "There is no time zone 'Moscow'"),
        ({"kind": "costs", "file": "x", "separator": "ab"}, "«Separator» can't be used"),
        ({"kind": "costs", "file": "x", "path": "/etc/passwd"}, "has no setting 'path'"),
    ],
)
def test_wrong_settings_are_refused_with_a_sentence(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsRefused, match=sentence):
        parse_settings(CONNECTOR, values)


def test_every_name_leads_to_one_field_of_a_kind() -> None:
    for kind, shape in SHAPES.items():
        for field in shape.fields:
            column = field.names[0]
            rank = [other.name for other in shape.fields if other.names[0] == column]
            assert rank == [field.name], (kind, column)


def test_a_preview_shows_the_guess_the_records_and_every_fault() -> None:
    found = preview_of(COSTS.encode("cp1251"), settings(Kind.COSTS))
    assert found.form == "text in cp1251, parted by semicolons"
    assert [(c.name, c.field, c.why) for c in found.columns][3] == (
        "Расход, руб. с НДС",
        "cost",
        "part of the name",
    )
    assert found.records == 3
    assert [row for row, _ in found.shown] == [3, 4]
    assert [row for row, _ in found.faults] == [6]
    assert found.warnings == ("Left out as rows of sums: 7.",)


class _Session:
    def __init__(self, folder: Path, chosen: FileSettings) -> None:
        self.folder, self.settings = folder, chosen

    async def send(self, request: VendorRequest) -> VendorResponse:
        return await answer(self.settings, request, self.folder)


async def test_a_file_is_read_in_pages_and_not_again_until_it_changes(tmp_path: Path) -> None:
    lines = [f"{n},02.03.2026,{n}" for n in range(1, 2502)]
    reference = keep(tmp_path, "\n".join(["id,дата,сумма", *lines]).encode())
    chosen = settings(Kind.DEALS, file=reference, file_name="deals.csv")
    session = _Session(tmp_path, chosen)
    health = await check(session)
    assert health.ok
    assert "2501 records of deals" in health.sentence
    stream = CONNECTOR.stream("deals")
    start = Start(None, datetime.now(UTC), datetime.now(UTC), UUID(int=1))
    position, ids, pages, cursor = stream.start(chosen, start), [], 0, None
    while position is not None:
        page = stream.read(chosen, position, await session.send(stream.request(chosen, position)))
        ids += [record.external_id for record in page.records]
        position, cursor, pages = page.next, page.cursor, pages + 1
    assert (pages, ids) == (3, [f"id:{n}" for n in range(1, 2502)])
    again = Start(cursor, start.now, start.since, start.run_id)
    assert stream.start(chosen, again) is None
    assert stream.start(chosen.model_copy(update={"currency": "USD"}), again) is not None
    assert CONNECTOR.stream("calls").start(chosen, start) is None


async def test_only_a_file_that_was_uploaded_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    for reference in ("../secret", "secret", "0" * 64, str(tmp_path / "secret")):
        health = await check(_Session(tmp_path, settings(Kind.DEALS, file=reference)))
        assert not health.ok
        assert "upload it again" in health.sentence
