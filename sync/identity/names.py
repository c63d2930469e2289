"""Names, for one question only: do two of them clearly belong to different people?

The guard against shared keys lives by it. A slip of the finger, another order, Latin letters or a short form
must not look like another person; a doubt is answered with "not clearly different".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from schema.enums import ClientKind

_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC = dict(zip("абвгдеёжзийклмнопрстуфхцыэіїєґў", "abvgdeejziiklmnoprstufhcieiiegu", strict=True))
_CYRILLIC |= {"ч": "ch", "ш": "sh", "щ": "sh", "ю": "iu", "я": "ia", "ъ": "", "ь": ""}
# Latin spellings of Russian sounds, in the order of replacement; both alphabets end in the same letters.
_SOUNDS = (
    ("ju", "iu"), ("ja", "ia"), ("yo", "e"), ("jo", "e"), ("ye", "e"), ("shch", "sh"), ("sch", "sh"), ("kh", "h"),
    ("ts", "c"), ("tz", "c"), ("zh", "j"), ("ph", "f"), ("ck", "k"), ("x", "ks"), ("w", "v"), ("y", "i"),
)  # fmt: skip
_DOUBLED = re.compile(r"([^aeou])\1+")  # a doubled vowel is a slip, not a way to spell it (but for Russian ия)
_PATRONYMIC = re.compile(r"^.{2,}(?:ovich|evich|ovna|evna|inichna|ichna)$")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NOBODY = _words(
    """
    клиент покупатель аноним анонимный имя имени без неизвестный неизвестно неизвестен тест тестовый test новый
    новая заявка лид контакт контрагент звонок входящий исходящий пропущенный телефон номер абонент гость client
    contact lead call guest unknown anonymous anonymus name null none нет не указано указан мобильный сайт сайта
    с из от квиз форма обратный whatsapp telegram vk авито avito
    """
)
_LEGAL_FORMS = _words(
    """
    ооо оао зао пао ао нао ип чп нко ано гбу гуп муп фгуп тоо llc ltd inc gmbh общество с ограниченной
    ответственностью акционерное публичное закрытое открытое индивидуальный предприниматель компания фирма
    группа компаний гк тд торговый дом
    """
)
_GIVEN = """
александр саша саня шура шурик алекс alex alexander | александра саша шура алекс |
алексей леша лёха алеша alexey alexei | алина аля | алла | альберт | анастасия настя ася | анатолий толя |
андрей andrew | анжела | анна аня анюта нюра anna | антон антоха | антонина тоня | арина ариша |
артем тема artyom | артур | ася | борис боря | вадим | валентин валя | валентина валя | валерий валера |
валерия лера | варвара варя | василий вася | вера | вероника ника | виктор витя | виктория вика |
виталий виталик | влад | владимир вова володя влад | владислав влад слава | вячеслав слава | галина галя |
геннадий гена | георгий гоша жора | глеб | григорий гриша | даниил данила данил даня daniel | дарья даша |
денис | дмитрий дима митя dima | евгений женя eugene | евгения женя | екатерина катя kate |
елена лена алена helen | елизавета лиза | жанна | захар | зоя | иван ваня | игорь | илья илюша | инна |
ирина ира | камилла | карина | кирилл | константин костя | кристина | ксения ксюша оксана | лариса лара |
лев лёва | леонид леня | лидия лида | лилия лиля | любовь люба | людмила люда мила | максим макс max |
маргарита рита | марина | мария маша маруся mary | марк | матвей | михаил миша michael | надежда надя |
наталья наталия наташа natalie | никита | николай коля nicholas | нина | оксана ксюша ксения | олег |
олеся леся | ольга оля | павел паша paul | петр петя peter | полина поля | раиса рая | регина | ринат |
роман рома | руслан | рустам | светлана света | семен сёма | сергей серёжа serge | софия софья соня sophia |
станислав стас слава | степан степа | тамара тома | татьяна таня | тимофей тима | тимур | ульяна уля |
федор федя | эдуард эдик | эльвира | юлия юля julia | юрий юра | яна | ярослав ярик слава
"""
_SHORTEST_SLIP = 3  # letters; in shorter words a slip makes another word


def _sound(word: str) -> str:
    if word.isascii():
        for spelling, sound in _SOUNDS:
            word = word.replace(spelling, sound)
    else:
        word = "".join(_CYRILLIC.get(letter, letter) for letter in word)
    return _DOUBLED.sub(r"\1", word)


def _given_names() -> dict[str, frozenset[int]]:
    forms: dict[str, set[int]] = {}
    for number, group in enumerate(_GIVEN.split("|")):
        for form in group.split():
            forms.setdefault(_sound(form.replace("ё", "е")), set()).add(number)
    return {form: frozenset(numbers) for form, numbers in forms.items()}


_GIVEN_BY_SOUND = _given_names()


@lru_cache(maxsize=65_536)
def comparable(name: str, kind: str) -> str | None:
    """A name as it is kept for comparison: its words by sound, sorted; None when it names nobody.

    Persons lose the patronymic (unless nothing else is left), firms their legal form.
    """
    words = [word.replace("ё", "е") for word in _WORD.findall(name.casefold())]
    if kind == ClientKind.COMPANY:
        digits = re.findall(r"\d+", name)
        sounds = [_sound(word) for word in words if word not in _LEGAL_FORMS] + digits
    else:
        sounds = [_sound(word) for word in words if word not in _NOBODY and len(word) > 1]
        without = [sound for sound in sounds if not _PATRONYMIC.match(sound)]
        sounds = without or sounds
    return " ".join(sorted(set(sounds))) or None


@lru_cache(maxsize=65_536)
def patronymic(name: str) -> str | None:
    """The patronymic in a person's name, by sound."""
    sounds = (_sound(word.replace("ё", "е")) for word in _WORD.findall(name.casefold()))
    return next((sound for sound in sounds if _PATRONYMIC.match(sound)), None)


@lru_cache(maxsize=65_536)
def given_name(word: str) -> str:
    """One spelling for all forms of a given name (by sound: Сергей, Серёжа); other words as they are."""
    forms = _GIVEN_BY_SOUND.get(word)
    return word if forms is None else f"#{min(forms)}"


def alike(one: str, other: str) -> bool:
    """Whether two words of persons' names, by sound, may be the same: a short form, or a slip of the finger."""
    return _alike(one, other)


def slipped(one: str, other: str) -> bool:
    """Whether slips of the finger explain the difference of two words: one in a short word, two in a long one."""
    return _slipped(one, other)


def name_for_comparison(names: Iterable[str], kind: str) -> str | None:
    """The first of the names on a record that names somebody, comparable."""
    return next((found for name in names if (found := comparable(name, kind)) is not None), None)


@lru_cache(maxsize=262_144)
def clearly_differ(one: str, other: str, kind: str) -> bool:
    """Whether two comparable names can't be one person's (or firm's).

    They can be one's if each word of the shorter has its own counterpart in the longer. A given name alone and
    a surname alone say nothing about each other.
    """
    if one == other:
        return False
    few, many = sorted((one.split(), other.split()), key=len)
    alike = _alike_firm if kind == ClientKind.COMPANY else _alike
    if kind == ClientKind.PERSON and len(few) == len(many) == 1:
        given = few[0] in _GIVEN_BY_SOUND, many[0] in _GIVEN_BY_SOUND
        if given[0] != given[1]:
            return False
    left = list(many)
    for word in few:
        match = next((place for place, other_word in enumerate(left) if alike(word, other_word)), None)
        if match is None:
            return True
        del left[match]
    return False


def _alike(one: str, other: str) -> bool:
    if one == other:
        return True
    given, other_given = _GIVEN_BY_SOUND.get(one), _GIVEN_BY_SOUND.get(other)
    if given and other_given:
        return not given.isdisjoint(other_given)
    return _slipped(one, other)


def _alike_firm(one: str, other: str) -> bool:
    return one == other or (not one.isdigit() and not other.isdigit() and _slipped(one, other))


def _slipped(one: str, other: str) -> bool:
    """Whether slips of the finger explain the difference: one in a short word, two in a long one."""
    shorter = min(len(one), len(other))
    if shorter < _SHORTEST_SLIP:
        return False
    allowed = 2 if shorter > 7 else 1
    # A slip takes one letter out of what the two have in common at most, and puts another in.
    near = abs(len(one) - len(other)) <= allowed and len(set(one) ^ set(other)) <= 2 * allowed
    return near and _slips(one, other) <= allowed


def _slips(one: str, other: str) -> int:
    """Letters lost, added, changed or swapped with the neighbour (optimal string alignment distance)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        this = [row]
        for column, other_letter in enumerate(other, 1):
            cost = min(last[column] + 1, this[-1] + 1, last[column - 1] + (letter != other_letter))
            if row > 1 and column > 1 and letter == other[column - 2] and one[row - 2] == other_letter:
                cost = min(cost, before[column - 2] + 1)
            this.append(cost)
        before, last = last, this
    return last[-1]
