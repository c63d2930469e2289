"""The life of one person in the market: all that he will ever do, drawn at once when he first appears.

A life is a list of events, each a plain list ``[second, person, place, kind, *details]``: plain, because
what lies in the future waits on disk as JSON until its day comes (:mod:`sandbox.world.stream`), and in
this order, because sorting events then sorts them by time, and a person's own events by their place.
"""

from __future__ import annotations

from bisect import bisect
from itertools import accumulate
from random import Random
from typing import Any

from sandbox.world.happenings import BRANCHES, Crm, Mess
from sandbox.world.market import FREE, Quality, StillMarket
from sandbox.world.typing_habits import TEST_EMAILS, mistype, spell_email, spell_phone, with_extension

DAY = 86_400
IDS = 64  # ids of a person's visits, calls, cards … are person × IDS + number
MSK = 3 * 3600  # the market keeps Moscow days

VISIT, CALL, FORM, CARD, EDIT, DEAL, MOVE, AD_DAY = range(8)
Event = list[Any]

MESS: dict[Mess, float] = {"low": 0.15, "normal": 1.0, "high": 2.5}
LOST_REASONS = ("Дорого", "Выбрали другого", "Не дозвонились", "Передумал", "Не наш район", "Спам")
SUBJECTS = ("Заявка с сайта", "Обратный звонок", "Расчёт стоимости", "Вопрос")
SERVICES = ("Уборка квартиры", "Уборка офиса", "Химчистка", "Мытьё окон", "Уборка после ремонта")
_HOURS = (1, 0.5, 0.3, 0.2, 0.2, 0.5, 1.5, 3, 6, 9, 11, 11, 10, 9, 10, 10, 10, 9, 8, 8, 8, 7, 5, 3)
_HOUR_TABLE = list(accumulate(_HOURS))


def local_hour(second: float) -> float:
    return (second + MSK) % DAY / 3600


class Lives:
    """Draws lives. One instance serves one world; the generator of chance is the day's."""

    def __init__(self, market: StillMarket, mess: Mess, crms: tuple[Crm, ...]) -> None:
        self.market = market
        self.crms = crms
        self._branch_table = list(accumulate(BRANCHES[crm] for crm in crms))
        self.mess = MESS[mess]
        self._origins: list[tuple[int, tuple[str, str] | None, Quality]] = [
            (campaign.id, None, market.quality[campaign.id]) for campaign in market.campaigns
        ]
        self._origins += [(0, free, quality) for free, quality in FREE.items()]
        self._origin_table = list(accumulate(quality.share for _, _, quality in self._origins))

    def draw(self, person_id: int, day_start: int, rng: Random) -> list[Event]:
        """All events of a person who first comes on the Moscow day that begins at ``day_start``."""
        place = bisect(self._origin_table, rng.random() * self._origin_table[-1])
        campaign, free, quality = self._origins[place]
        first = day_start + self._moment_of_day(rng)
        life = _Life(self, person_id, rng, campaign, quality)
        life.visit(first, campaign, free)
        if rng.random() < quality.lead_rate:
            life.become_lead(first)
        else:
            when = first
            while rng.random() < 0.24:
                when = self.later_visit(when, 5.0, rng)
                life.return_visit(when)
        return life.events

    def branch(self, rng: Random) -> Crm:
        """The branch of the firm that a newcomer turns to."""
        return self.crms[bisect(self._branch_table, rng.random() * self._branch_table[-1])]

    def later_visit(self, second: int, mean_days: float, rng: Random) -> int:
        """A visit some days on, at an hour at which people sit at their screens."""
        if rng.random() < 0.2:
            return second + int(rng.uniform(900, 14_400))
        days = 1 + int(rng.expovariate(1 / mean_days))
        midnight = (second + MSK) // DAY * DAY - MSK
        return midnight + days * DAY + self._moment_of_day(rng)

    @staticmethod
    def _moment_of_day(rng: Random) -> int:
        return bisect(_HOUR_TABLE, rng.random() * _HOUR_TABLE[-1]) * 3600 + int(rng.random() * 3600)


class _Life:
    """One life while it is being drawn."""

    def __init__(self, lives: Lives, person: int, rng: Random, campaign: int, quality: Quality) -> None:
        self.lives = lives
        self.market = lives.market
        self.mess = lives.mess
        self.person = person
        self.rng = rng
        self.quality = quality
        self.events: list[Event] = []
        self.first_ad: tuple[int, int] | None = None  # campaign, visit
        self._ids = 0
        self._devices = 1 + (rng.random() < 0.3) + (rng.random() < 0.08)
        self._city = rng.randrange(9)
        self._last_visit = 0
        self._utm: list[Any] = [0, 0, 0]

    def _chance(self, probability: float) -> bool:
        """A piece of mess: its probability follows the level of the world."""
        return self.rng.random() < probability * self.mess

    def _new_id(self) -> int:
        self._ids += 1
        return self.person * IDS + self._ids

    def _add(self, second: float, kind: int, *details: Any) -> None:
        self.events.append([int(second), self.person, len(self.events), kind, *details])

    # --- visits -------------------------------------------------------------------------------

    def visit(self, second: int, campaign: int, free: tuple[str, str] | None) -> int:
        rng = self.rng
        visit = self._new_id()
        tags_lost = campaign > 0 and self._chance(0.10)
        ad = rng.randrange(6)
        if campaign and self.first_ad is None:
            self.first_ad = (campaign, visit)
        device = 0 if self._devices == 1 or rng.random() < 0.6 else rng.randrange(self._devices)
        self._add(second, VISIT, visit, device, self._city, campaign, ad, tags_lost, free)
        self._last_visit = visit
        self._utm = [0, 0, 0] if tags_lost else [campaign, ad, visit]
        return visit

    def return_visit(self, second: int) -> int:
        """He knows the firm by now: he types the name, follows the retargeting, or looks it up again."""
        drawn = self.rng.random()
        if drawn < 0.45:
            return self.visit(second, 0, ("(direct)", "(none)"))
        if drawn < 0.65:
            return self.visit(second, 0, ("yandex", "organic"))
        if drawn < 0.83:
            return self.visit(second, self.market.retargeting, None)
        if drawn < 0.95:
            return self.visit(second, self.market.campaigns[0].id, None)
        return self.visit(second, self.market.newsletter, None)

    # --- a lead -------------------------------------------------------------------------------

    def become_lead(self, first: int) -> None:
        rng = self.rng
        who = self.market.person(self.person)
        self.who = who
        self.office = self.market.firm(who.firm).office_phone if who.firm else None
        self.crm = self.lives.branch(rng)
        self.manager = self._manager_of(self.crm)
        when = first
        while rng.random() < 0.42 and self._ids < 12:
            when = self.lives.later_visit(when, 4.0, rng)
            self.return_visit(when)
        act = when + int(rng.uniform(60, 1500))
        junk = rng.random() < 0.12  # a wrong number, an advertiser, a question: no card is made
        if rng.random() < 0.30:
            self._form(act)
            if not junk:
                act = self._working(act + int(rng.uniform(120, 7200)))
                self._call(act, direction="outbound")
        else:
            answered = self._call(act, junk=junk)
            while not answered and rng.random() < 0.7:
                act += int(rng.uniform(300, 9000))
                answered = self._call(act, junk=junk, tied=False)
            if rng.random() < 0.14:
                self._form(act + int(rng.uniform(30, 900)))
        if junk:
            return
        utm = list(self._utm)
        card = self._card(act + int(rng.uniform(20, 1800)), self.crm, utm)
        if rng.random() < 0.78:
            self._deals(card, self.crm, act + int(rng.uniform(1900, 7200)), utm)
        if rng.random() < 0.08:
            self._second_branch(act, utm)

    def _manager_of(self, crm: Crm) -> int:
        return self.rng.choice([m.id for m in self.market.managers if m.crm == crm])

    def _working(self, second: int) -> int:
        """The same moment, or the next morning if nobody is at work."""
        hour = local_hour(second)
        if 9 <= hour < 20:
            return second
        morning = (second + MSK) // DAY * DAY - MSK + 9 * 3600 + int(self.rng.random() * 5400)
        return morning if hour < 9 else morning + DAY

    def _caller_phone(self) -> str:
        if self._chance(0.01):  # a neighbour's phone: it belongs to somebody else who may be a client too
            stranger = max(1, self.person - self.rng.randrange(1, 400))
            return self.market.person(stranger).phones[0]
        if self.office and self.rng.random() < 0.45:
            return self.office
        return self.rng.choice(self.who.phones)

    def _call(self, second: int, direction: str = "inbound", junk: bool = False, tied: bool = True) -> bool:
        rng = self.rng
        outbound = direction == "outbound"
        answered = rng.random() < (0.93 if 9 <= local_hour(second) < 20 else 0.25)
        talk = int(20 + rng.expovariate(1 / (30 if junk else 150))) if answered else 0
        tracked = not outbound and rng.random() < 0.85
        visit = self._last_visit if tracked and tied and rng.random() < 0.95 else None
        office = self.market.office_phones[self.crm]
        if outbound:
            numbers = office, self.who.phones[0]
        else:
            to = self.market.tracked_phones[self._last_visit % 12] if tracked else office
            numbers = self._caller_phone(), to
        wait = int(3 + rng.expovariate(1 / 12))
        self._add(
            second, CALL, self._new_id(), *numbers, tracked, visit, answered, wait, talk, direction,
            None if junk else self.crm, None if junk else self.manager,
        )  # fmt: skip
        return answered

    def _form(self, second: int) -> None:
        who, rng = self.who, self.rng
        name = who.first_name if rng.random() < 0.45 else f"{who.first_name} {who.last_name}"
        if self._chance(0.10):
            name = mistype(name, rng)
        phone = self.office if self.office and rng.random() < 0.3 else rng.choice(who.phones)
        phone = spell_phone(phone, rng) if self._chance(0.6) else phone
        email = rng.choice(who.emails) if rng.random() < 0.6 else ""
        if email and self._chance(0.08):
            email = spell_email(email, rng)
        elif self._chance(0.015):
            email = rng.choice(TEST_EMAILS)
        subject = rng.choice(SUBJECTS)
        visit = None if self._chance(0.05) else self._last_visit
        self._add(second, FORM, self._new_id(), visit, name, phone, email, subject)

    # --- CRM ----------------------------------------------------------------------------------

    def _contact_data(self) -> tuple[str, str, str, list[str], list[str]]:
        """What a manager types on a card: full name, first name, last name, phones, e-mails."""
        who, rng = self.who, self.rng
        first, last = who.first_name, who.last_name if rng.random() < 0.75 else ""
        if self._chance(0.07):
            first = mistype(first, rng)
        if last and self._chance(0.09):
            last = mistype(last, rng)
        phones = [rng.choice(who.phones)]
        if len(who.phones) > 1 and rng.random() < 0.3:
            phones = list(who.phones)
        phones = [spell_phone(phone, rng) if self._chance(0.6) else phone for phone in phones]
        if self.office and rng.random() < 0.45:
            desk = with_extension(self.office, rng) if rng.random() < 0.3 else spell_phone(self.office, rng)
            phones = [desk] if rng.random() < 0.25 else [*phones, desk]
        if self._chance(0.03):
            phones = []
        emails = [rng.choice(who.emails)] if rng.random() < 0.55 or not phones else []
        if emails and self._chance(0.08):
            emails = [spell_email(emails[0], rng)]
        elif self._chance(0.015):
            emails = [rng.choice(TEST_EMAILS)]
        return f"{first} {last}".strip(), first, last, phones, emails

    def _card(self, second: int, crm: Crm, utm: list[Any]) -> int:
        card = self._new_id()
        firm = self.who.firm if self.rng.random() < 0.8 else None
        manager = self.manager if crm == self.crm else self._manager_of(crm)
        full, first, last, phones, emails = self._contact_data()
        self._add(second, CARD, card, crm, full, first, last, phones, emails, firm, manager, utm)
        if self.rng.random() < 0.10:
            _, first, last, phones, emails = self._contact_data()
            edited = self._working(second + int(self.rng.expovariate(1 / (9 * DAY))))
            self._add(max(edited, second + 60), EDIT, card, crm, phones, emails, first, last)
        return card

    def _second_branch(self, second: int, utm: list[Any]) -> None:
        """He turns to the other branch too, which knows nothing of the first."""
        rng = self.rng
        others = [crm for crm in self.lives.crms if crm != self.crm]
        if not others:
            return
        other = others[0] if len(others) == 1 else rng.choice(others)
        when = self._working(second + int(rng.uniform(1, 40) * DAY))
        card = self._card(when, other, utm)
        if rng.random() < 0.5:
            self._deals(card, other, when + int(rng.uniform(600, 7200)), utm, repeats=0)

    def _deals(self, card: int, crm: Crm, second: int, utm: list[Any], repeats: int = 3) -> None:
        """One deal after the other as long as he is content."""
        rng = self.rng
        won_at = self._deal(card, crm, second, utm, self.quality.win_rate)
        while won_at is not None and repeats and rng.random() < 0.30:
            repeats -= 1
            back = self.lives.later_visit(won_at, 38.0, rng)
            if rng.random() < 0.6:
                self.return_visit(back)
            called = back + int(rng.uniform(60, 1500))
            if rng.random() < 0.7:
                self._call(called, tied=rng.random() < 0.6)
            utm = list(self._utm)
            opened = self._working(called + 600) + int(rng.uniform(60, 5000))
            if self._chance(0.06):  # the manager doesn't find the old card and makes another
                card = self._card(opened - 30, crm, utm)
            won_at = self._deal(card, crm, opened, utm, 0.75)

    def _deal(self, card: int, crm: Crm, second: int, utm: list[Any], win_rate: float) -> int | None:
        rng = self.rng
        deal = self._new_id()
        amount = round(self.quality.check * rng.lognormvariate(-0.1, 0.45) / 10) * 10
        service = rng.randrange(len(SERVICES))
        manager = self.manager if crm == self.crm else self._manager_of(crm)
        campaign, visit = self.first_ad or (None, None)
        from_lead = rng.random() < 0.5
        self._add(
            second, DEAL, deal, crm, card, SERVICES[service], amount, manager, utm, from_lead, visit, campaign
        )
        wins = rng.random() < win_rate
        last_stage = 3 if wins else rng.randrange(4)
        when: float = second
        for stage in range(1, last_stage + 1):
            when = self._working(int(when + 300 + rng.expovariate(1 / (2.2 * DAY))))
            if stage == 2 and rng.random() < 0.3:
                amount = round(amount * rng.uniform(0.8, 1.3) / 10) * 10
            self._add(when, MOVE, deal, crm, stage, amount, None)
        when = self._working(int(when + 600 + rng.expovariate(1 / (3.0 * DAY))))
        if wins:
            self._add(when, MOVE, deal, crm, "won", amount, None)
            return int(when)
        self._add(when, MOVE, deal, crm, "lost", amount, rng.choice(LOST_REASONS))
        return None
