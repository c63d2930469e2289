"""How people write themselves down: names with typos, phones in every spelling, e-mails with capitals."""

from __future__ import annotations

from random import Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(" "))


MEN = _words(
    "Александр Алексей Андрей Артём Борис Вадим Виктор Виталий Владимир Георгий Глеб Даниил Денис "
    "Дмитрий Евгений Иван Игорь Илья Кирилл Константин Максим Михаил Никита Николай Олег Павел Пётр "
    "Роман Семён Сергей Степан Тимур Фёдор Юрий Ярослав"
)
WOMEN = _words(
    "Алина Алла Анастасия Анна Валентина Вера Виктория Галина Дарья Евгения Екатерина Елена Жанна "
    "Зоя Инна Ирина Карина Кристина Ксения Лариса Лидия Любовь Людмила Марина Мария Надежда Наталья "
    "Нина Оксана Ольга Полина Светлана София Татьяна Ульяна Юлия Яна"
)
FATHERS = _words(
    "Александров Алексеев Андреев Борисов Вадимов Викторов Владимиров Денисов Дмитриев Евгеньев "
    "Иванов Игорев Кириллов Максимов Михайлов Николаев Олегов Павлов Петров Романов Сергеев Юрьев"
)
SURNAMES = _words(
    "Абрамов Агафонов Акимов Анисимов Антонов Архипов Баранов Белов Беляев Блинов Богданов Большаков "
    "Борисов Быков Васильев Виноградов Власов Воробьёв Воронов Гаврилов Герасимов Голубев Горбунов "
    "Гришин Гусев Данилов Дементьев Дорофеев Дьячков Егоров Елисеев Ершов Ефимов Жданов Жуков Зайцев "
    "Захаров Зимин Зуев Игнатьев Исаев Кабанов Казаков Калинин Карпов Киселёв Князев Ковалёв Козлов "
    "Колесников Комаров Кондратьев Королёв Котов Кошелев Крылов Кудрявцев Кузнецов Куликов Лаптев "
    "Лебедев Логинов Лукин Макаров Маслов Матвеев Медведев Мельников Миронов Михеев Моисеев Морозов "
    "Назаров Некрасов Нестеров Никонов Новиков Носов Овчинников Орехов Орлов Осипов Панов Пахомов "
    "Пестов Поляков Попов Потапов Прохоров Рогов Родионов Рожков Русаков Рябов Савельев Самсонов "
    "Селезнёв Сидоров Ситников Соболев Соколов Степанов Суханов Тарасов Тетерин Тихонов Третьяков "
    "Туров Уваров Ушаков Фадеев Филиппов Фокин Фролов Харитонов Цветков Чернов Шарапов Шестаков "
    "Шилов Широков Щербаков Юдин Яковлев"
)
MAIL_DOMAINS = ("mail.ru", "yandex.ru", "gmail.com", "bk.ru", "list.ru", "rambler.ru", "inbox.ru")
TEST_EMAILS = ("test@test.ru", "test@test.ru", "no@mail.ru", "123@mail.ru")

_LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
_SPELLED = _words("a b v g d e e zh z i y k l m n o p r s t u f h c ch sh sch  y  e yu ya")
_LATIN = str.maketrans(dict(zip(_LETTERS, _SPELLED, strict=True)))


def latin(text: str) -> str:
    """Lower-case transliteration, as in mail addresses."""
    return text.lower().translate(_LATIN)


def spell_phone(phone: str, rng: Random) -> str:
    """An E.164 Russian number as somebody might type it."""
    code, a, b, c = phone[2:5], phone[5:8], phone[8:10], phone[10:12]
    match rng.randrange(11):
        case 0 | 1:
            return f"8 {code} {a}-{b}-{c}"
        case 2 | 3:
            return f"+7({code}){a}-{b}-{c}"
        case 4:
            return f"+7 ({code}) {a}-{b}-{c}"
        case 5:
            return f"7{code}{a}{b}{c}"
        case 6:
            return f"8{code}{a}{b}{c}"
        case 7:
            return f"{code}{a}{b}{c}"
        case 8:
            return f"8-{code}-{a}-{b}-{c}"
        case 9:
            return f" +7 {code} {a} {b} {c}"
        case _:
            return phone


def with_extension(phone: str, rng: Random) -> str:
    """An office number with the extension of one desk."""
    desk = rng.randrange(100, 400)
    form = rng.choice(("{} доб. {}", "{} доб {}", "{},{}", "{} ext. {}", "{} #{}"))
    return form.format(spell_phone(phone, rng), desk)


def mistype(name: str, rng: Random) -> str:
    """One slip of the finger: two letters swapped, one lost, doubled, or another habit of lazy typing."""
    if len(name) < 3:
        return name
    place = rng.randrange(1, len(name) - 1)
    match rng.randrange(7):
        case 0:
            return name[:place] + name[place + 1] + name[place] + name[place + 2 :]
        case 1:
            return name[:place] + name[place + 1 :]
        case 2:
            return name[:place] + name[place] + name[place:]
        case 3:
            return name.lower()
        case 4:
            return name.upper()
        case 5:
            return name.replace("ё", "е") + " "
        case _:
            return latin(name).capitalize()


def spell_email(email: str, rng: Random) -> str:
    """An address with capitals, a plus tag or a stray space."""
    user, domain = email.split("@")
    match rng.randrange(4):
        case 0:
            return f"{user.capitalize()}@{domain.capitalize()}"
        case 1:
            return f"{user}+zakaz@{domain}"
        case 2:
            return email.upper()
        case _:
            return f"{email} "
