"""The things of the market that hold still: campaigns, managers, firms and people, all from the seed alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from random import Random

from sandbox.world.happenings import Ad, AdGroup, Campaign, Crm, Firm, Keyword, Manager, Person
from sandbox.world.typing_habits import FATHERS, MAIL_DOMAINS, MEN, SURNAMES, WOMEN, latin

SITE = "https://chistota.example"
CITIES = ("Москва", "Москва", "Москва", "Санкт-Петербург", "Химки", "Мытищи", "Балашиха", "Подольск", "Казань")

_MASK = (1 << 64) - 1
# Number ranges that Russian operators really have, so that a strict phone library accepts the numbers.
_MOBILE_CODES = (
    "903",
    "905",
    "906",
    "909",
    "910",
    "911",
    "912",
    "913",
    "914",
    "915",
    "916",
    "917",
    "918",
    "919",
    "920",
    "921",
    "922",
    "924",
    "925",
    "926",
    "927",
    "928",
    "929",
    "931",
    "937",
    "950",
    "951",
    "952",
    "953",
    "960",
    "961",
    "962",
    "963",
    "964",
    "965",
    "967",
    "968",
    "977",
    "980",
    "981",
    "982",
    "983",
    "985",
    "987",
    "988",
    "989",
    "999",
)
_FIRMS_A_BLOCK = 14
_BLOCK = 1024  # people whose firms are drawn from one set of firms
_FIRM_SHARES = (40, 30, 24, 20, 18, 15, 13, 12, 10, 9, 8, 6, 5, 4)


def mix(*numbers: int) -> int:
    """A well-stirred 64-bit number (the finaliser of SplitMix64 over each argument)."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ number) * 0xBF58476D1CE4E5B9 & _MASK
        state ^= state >> 30
        state = state * 0x94D049BB133111EB & _MASK
        state ^= state >> 31
    return state


@dataclass(frozen=True, slots=True)
class Quality:
    """What a source of visitors is worth. ``share`` of all newcomers, ``lead_rate`` of newcomers that call or
    write, ``win_rate`` of their deals, ``check`` the usual deal in roubles, ``romi`` what the campaign is
    priced for: (revenue − spend) / spend in the long run; None for traffic that costs nothing."""

    share: float
    lead_rate: float
    win_rate: float
    check: int
    romi: float | None = None
    ctr: float = 0.05


_DIRECT: tuple[tuple[str, str, Quality], ...] = (
    ("Бренд | Поиск", "brand|{id}", Quality(7, 0.42, 0.42, 21_000, 2.7, 0.19)),
    ("Уборка квартир | Поиск", "{id}", Quality(11, 0.27, 0.30, 14_000, 0.9, 0.08)),
    ("Уборка офисов | Поиск", "{id}", Quality(8, 0.25, 0.33, 42_000, 1.7, 0.07)),
    ("Химчистка мебели | Поиск", "himchistka_{id}", Quality(7, 0.24, 0.28, 11_000, 0.35, 0.08)),
    ("Мытьё окон | Поиск", "{id}", Quality(5, 0.21, 0.27, 12_000, -0.15, 0.06)),
    ("После ремонта | ЕПК", "posle_remonta|{id}", Quality(6, 0.22, 0.31, 26_000, 1.1, 0.05)),
    ("РСЯ | Широкая", "{id}", Quality(12, 0.09, 0.16, 13_000, -0.4, 0.004)),
    ("РСЯ | Ретаргетинг", "retarget|{id}", Quality(3, 0.20, 0.30, 17_000, 0.6, 0.006)),
    ("Конкуренты | Поиск", "{id}", Quality(4, 0.14, 0.18, 16_000, -0.3, 0.04)),
)
_TAGGED: tuple[tuple[str, str, str, str, str, Quality], ...] = (
    ("vk", "VK | Лид-магнит", "vk", "cpc", "vk_leadmagnet", Quality(6, 0.11, 0.15, 12_000, -0.25, 0.01)),
    ("vk", "VK | Бизнес", "vk", "cpc", "vk_b2b", Quality(3, 0.16, 0.24, 35_000, 0.8, 0.01)),
    ("email", "Рассылка по базе", "email", "email", "newsletter", Quality(2, 0.30, 0.36, 18_000, 3.0, 0.03)),
    ("google", "Google | Поиск", "google", "cpc", "g_search_msk", Quality(4, 0.22, 0.26, 17_000, 0.2, 0.06)),
)
FREE: dict[tuple[str, str], Quality] = {
    ("yandex", "organic"): Quality(10, 0.24, 0.28, 16_000),
    ("google", "organic"): Quality(6, 0.22, 0.28, 16_000),
    ("(direct)", "(none)"): Quality(5, 0.34, 0.36, 22_000),
    ("otzyv.example", "referral"): Quality(3, 0.28, 0.33, 18_000),
}
_GROUPS = ("Горячие", "Общие", "Районы")
_PHRASES = ("заказать", "цена", "срочно", "недорого", "москва", "отзывы")


class StillMarket:
    """The market of one seed. Everything is a pure function; nothing is kept but small caches."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = Random(f"{seed}:market")
        self.campaigns: list[Campaign] = []
        self.quality: dict[int, Quality] = {}
        next_id = rng.randrange(70_000_000, 110_000_000)
        for name, template, quality in _DIRECT:
            next_id += rng.randrange(1_000, 400_000)
            tag = template.format(id=next_id)
            self.campaigns.append(Campaign(next_id, "yandex_direct", name, "yandex", "cpc", tag))
            self.quality[next_id] = quality
        for number, (platform, name, source, medium, tag, quality) in enumerate(_TAGGED, 1):
            self.campaigns.append(Campaign(number, platform, name, source, medium, tag))
            self.quality[number] = quality
        self.retargeting = self.campaigns[7].id
        self.newsletter = next(c.id for c in self.campaigns if c.platform == "email")
        self._campaigns = {campaign.id: campaign for campaign in self.campaigns}
        self.ad_groups, self.ads, self.keywords = self._cabinet()
        self.ads_of: dict[int, list[Ad]] = {}
        for ad in self.ads:
            self.ads_of.setdefault(ad.campaign, []).append(ad)
        self.keywords_of: dict[int, list[Keyword]] = {}
        for keyword in self.keywords:
            self.keywords_of.setdefault(keyword.ad_group, []).append(keyword)
        self.managers = self._staff(rng)
        self._managers = {manager.id: manager for manager in self.managers}
        self.tracked_phones = tuple(f"+7495600{rng.randrange(10)}{n:03d}" for n in rng.sample(range(1000), 12))
        self.office_phones: dict[Crm, str] = {
            "bitrix24": "+74956019001",
            "amocrm": "+78126019002",
            "aspro_cloud": "+74956019003",
            "advantshop": "+74956019004",
            "onec": "+73436019005",
        }
        self.person = lru_cache(maxsize=4096)(self._person)
        self.firm = lru_cache(maxsize=4096)(self._firm)

    def campaign(self, campaign_id: int) -> Campaign:
        return self._campaigns[campaign_id]

    def manager(self, manager_id: int) -> Manager:
        return self._managers[manager_id]

    def _cabinet(self) -> tuple[list[AdGroup], list[Ad], list[Keyword]]:
        groups, ads, keywords = [], [], []
        for campaign in self.campaigns:
            if campaign.platform != "yandex_direct":
                continue
            for number, title in enumerate(_GROUPS):
                group = AdGroup(5_000_000_000 + campaign.id * 4 + number, campaign.id, title)
                groups.append(group)
                href = (
                    f"{SITE}/?utm_source=yandex&utm_medium=cpc&utm_campaign={campaign.utm_campaign}"
                    "&utm_content={ad_id}&utm_term={keyword}"
                )
                for variant in range(2):
                    ad_id = 16_000_000_000 + campaign.id * 8 + number * 2 + variant
                    name = campaign.name.split(" | ")[0]
                    ads.append(Ad(ad_id, campaign.id, group.id, name, f"{name}: выезд за 2 часа", href))
                for place, phrase in enumerate(_PHRASES[number * 2 : number * 2 + 2]):
                    keyword_id = 200_000_000_000 + campaign.id * 8 + number * 2 + place
                    words = campaign.name.split(" | ")[0].lower()
                    keywords.append(Keyword(keyword_id, campaign.id, group.id, f"{words} {phrase}"))
        return groups, ads, keywords

    def _staff(self, rng: Random) -> list[Manager]:
        staff: list[Manager] = []
        first_two: tuple[tuple[Crm, int], ...] = (("bitrix24", 7), ("amocrm", 5))
        later: tuple[tuple[Crm, int], ...] = (("aspro_cloud", 4), ("advantshop", 3), ("onec", 4))
        apart = Random(f"{self.seed}:later branches")  # draws of its own: what was before them stays as it was
        for crm, size, rng in [*((*each, rng) for each in first_two), *((*each, apart) for each in later)]:
            for _ in range(size):
                number = len(staff) + 1
                first = rng.choice(WOMEN)
                last = rng.choice(SURNAMES) + "а"
                email = f"{latin(first)[0]}.{latin(last)}{number}@chistota.example"
                staff.append(Manager(number, crm, first, last, email, f"+7495601{number:04d}"))
        return staff

    def _phone(self, number: int) -> str:
        # Multiplying by a unit of the ring keeps the numbers apart: no two people get one phone by chance.
        place = (number * 387_420_491 + self.seed * 7919 + 12_345_678) % (len(_MOBILE_CODES) * 10_000_000)
        code, rest = divmod(place, 10_000_000)
        return f"+7{_MOBILE_CODES[code]}{rest:07d}"

    def firm_of(self, person_id: int) -> int | None:
        """The firm that a person buys for: about every fifth does, 3 to 40 of them for one firm."""
        drawn = mix(self.seed, person_id, 3)
        if drawn % 100 >= 21:
            return None
        place = (drawn >> 8) % sum(_FIRM_SHARES)
        for number, share in enumerate(_FIRM_SHARES):
            place -= share
            if place < 0:
                return person_id // _BLOCK * _FIRMS_A_BLOCK + number + 1
        raise AssertionError("the shares of the firms cover every place")

    def _firm(self, firm_id: int) -> Firm:
        rng = Random(mix(self.seed, firm_id, 5))
        digits = [7, 7, *(int(d) for d in f"{firm_id % 10_000_000:07d}")]
        weights = (2, 4, 10, 3, 5, 9, 4, 6, 8)
        digits.append(sum(w * d for w, d in zip(weights, digits, strict=True)) % 11 % 10)
        stem = rng.choice(("Вектор", "Альфа", "Гранит", "Север", "Меридиан", "Атлант", "Кедр", "Орбита"))
        kind = rng.choice(("строй", "торг", "сервис", "лаб", "групп", "проект", "медиа", "логистик"))
        form = rng.choice(("ООО", "ООО", "ООО", "АО", "ИП"))
        slug = latin(stem + kind)
        return Firm(
            firm_id,
            f"{form} «{stem}{kind} {firm_id}»",
            "".join(map(str, digits)),
            f"+7{'495' if firm_id % 3 else '499'}{2_000_000 + firm_id * 7919 % 7_000_000:07d}",
            f"office@{slug}{firm_id}.example",
        )

    def _person(self, person_id: int) -> Person:
        rng = Random(mix(self.seed, person_id, 1))
        father = rng.choice(FATHERS)
        if rng.random() < 0.52:
            names = rng.choice(WOMEN), father + "на", rng.choice(SURNAMES) + "а"
        else:
            names = rng.choice(MEN), father + "ич", rng.choice(SURNAMES)
        first, middle, last = names
        phones = [self._phone(person_id * 2)]
        if rng.random() < 0.22:
            phones.append(self._phone(person_id * 2 + 1))
        user = rng.choice((f"{latin(first)}.{latin(last)}", f"{latin(last)}", f"{latin(first)}_{latin(last)[0]}"))
        emails = [f"{user}{person_id}@{rng.choice(MAIL_DOMAINS)}"]
        if rng.random() < 0.12:
            emails.append(f"{latin(last)}.work{person_id}@{rng.choice(MAIL_DOMAINS)}")
        visitors = tuple(self.visitor_id(person_id, device) for device in range(3))
        return Person(
            person_id, first, middle, last, tuple(phones), tuple(emails), visitors, self.firm_of(person_id)
        )

    def birthday(self, person_id: int) -> date:
        """A person's day of birth (truth), of a chance of its own: it changes nothing else of a world."""
        return date(1950, 1, 1) + timedelta(days=mix(self.seed, person_id, 6) % 20_000)

    def told_birthday(self, person_id: int, card: int) -> date | None:
        """The day of birth on a card: two cards of five have one, of those one in fifty the first day of the year
        that stands for none, and one in forty has day and month the wrong way round where that is a day."""
        rng = Random(mix(self.seed, card, 7))
        if rng.random() >= 0.4:
            return None
        if rng.random() < 0.02:
            return date(1970, 1, 1)
        day = self.birthday(person_id)
        return day.replace(month=day.day, day=day.month) if rng.random() < 0.025 and day.day <= 12 else day

    def visitor_id(self, person_id: int, device: int) -> str:
        """The analytics cookie of one device: 19 digits, more than a float holds exactly."""
        return f"17{mix(self.seed, person_id, device, 2) % 10**17:017d}"
