"""What is said to callers, by its code, in the languages that are spoken here: above all what is wrong with inputs.

What the engine refuses comes with an English sentence of its own: then only the Russian one stands here.
"""

from __future__ import annotations

from collections.abc import Mapping

from api.language import Language

SENTENCES: Mapping[str, Mapping[Language, str]] = {
    "EMPTY": {"en": "Write something here.", "ru": "Напишите здесь что-нибудь."},
    "TOO_LONG": {"en": "At most {most} characters fit here.", "ru": "Здесь помещается не больше {most} знаков."},
    "OUT_OF_RANGE": {
        "en": "Give a number from {least} to {most}.",
        "ru": "Укажите число от {least} до {most}.",
    },
    "BEFORE_BEGINNING": {"en": "This day is before the first one.", "ru": "Этот день раньше первого."},
    "TOO_MANY_DAYS": {"en": "At most ten years fit here.", "ru": "Здесь помещается не больше десяти лет."},
    "NOT_AN_OBJECT": {"en": "Give a JSON object here.", "ru": "Здесь нужен объект JSON."},
    "WRONG_ID": {"en": "This isn't the id of a {type}.", "ru": "Это не идентификатор {type}."},
    "NOT_FOUND": {"en": "There is no such {type} for you.", "ru": "Такого объекта ({type}) у вас нет."},
    "KEPT_ELSEWHERE": {
        "ru": "Это ведётся в «{system}», и менять это отсюда нельзя: измените там.",
    },
    "PHONE_INVALID": {
        "en": "«{value}» isn't a phone: give it with its code, like +7 916 123-45-67.",
        "ru": "«{value}» — не телефон: укажите его с кодом, например +7 916 123-45-67.",
    },
    "EMAIL_INVALID": {
        "en": "«{value}» isn't an e-mail address like ann@example.com.",
        "ru": "«{value}» — не адрес почты вида ann@example.com.",
    },
    "SITE_INVALID": {
        "en": "«{value}» isn't the address of a site like https://example.com.",
        "ru": "«{value}» — не адрес сайта вида https://example.com.",
    },
    "AMOUNT_NEGATIVE": {"en": "A sum can't be below zero.", "ru": "Сумма не может быть меньше нуля."},
    "AMOUNT_UNFIT": {
        "en": "Give a sum below 10^15 with two digits after the point at most.",
        "ru": "Укажите сумму меньше 10^15, не больше двух знаков после точки.",
    },
    "UNKNOWN_CURRENCY": {
        "en": "There is no currency «{value}»: give its code of ISO 4217, like RUB.",
        "ru": "Валюты «{value}» нет: укажите код ISO 4217, например RUB.",
    },
    "STAGE_OF_OTHER_PIPELINE": {
        "en": "This stage is of another pipeline: choose one of the deal's, or name the pipeline too.",
        "ru": "Этот этап из другой воронки: выберите этап воронки сделки или назовите и воронку.",
    },
    "STATUS_OF_STAGE": {
        "en": "The stage says that the deal is {status}: leave the status out, or choose another stage.",
        "ru": "По этапу сделка — {status}: не указывайте статус или выберите другой этап.",
    },
    "TOO_MANY_VALUES": {"en": "Give {most} values at most.", "ru": "Укажите не больше {most} значений."},
    "THRESHOLD_OUT_OF_RANGE": {"ru": "Порог — число от {least:g} до {most:g} бит."},
    "THRESHOLDS_CROSSED": {"ru": "Предлагать совпадения можно только с меньшего веса, чем применять."},
    "ONLY_COMPANIES": {
        "en": "Only an organisation has a tax number.",
        "ru": "Налоговый номер бывает только у организации.",
    },
    "CONTACT_OF_COMPANY": {
        "en": "The client is an organisation: name its card as `company` instead.",
        "ru": "Этот клиент — организация: укажите её карточку в `company`.",
    },
    "KNOWN_CLIENT": {
        "en": "A client with this phone or e-mail is here already, led by somebody else: ask an owner.",
        "ru": "Клиент с таким телефоном или почтой уже есть, его ведёт другой: обратитесь к владельцу.",
    },
    "NOTHING_WAITS": {
        "en": "Nothing waits to be decided on this field of the change.",
        "ru": "В этом поле изменения решать нечего.",
    },
    "NAMED_TWICE": {"en": "Name each field once.", "ru": "Назовите каждое поле один раз."},
    "OF_OTHER_SYSTEM": {
        "ru": "Выберите из «{system}»: запись ведётся там.",
    },
    "NO_SUCH_CHOICE": {
        "en": "There is no field «{name}» here; there is {known}.",
        "ru": "Поля «{name}» здесь нет; есть {known}.",
    },
    "NO_RULE_OF_FIELD": {"ru": "Поле {field} нельзя выбирать по правилу {rule}."},
    "NO_SOURCES": {
        "ru": "Назовите предпочитаемые подключения по порядку — с правилом preferred_source и только с ним.",
    },
    "NO_SUCH_SOURCE": {"ru": "Одного из названных подключений здесь нет."},
    "NO_CONFIDENCE": {"ru": "Доверие — число от 0 до 1."},
    "NO_RULES_TO_UNDO": {"ru": "Правила не задавались: отменять нечего."},
    "IDEMPOTENCY_KEY_REUSED": {
        "en": "This key was used for another request: choose a new one.",
        "ru": "Этот ключ уже использован для другого запроса: выберите новый.",
    },
    "ONLY_MANAGERS": {
        "en": "Only a manager's key has employees.",
        "ru": "Сотрудники бывают только у ключа менеджера.",
    },
    "ONE_ALREADY": {"en": "The two are one client already.", "ru": "Это уже один клиент."},
    "DIFFERENT_KINDS": {
        "en": "A person and a company can't be one client.",
        "ru": "Человек и компания не могут быть одним клиентом.",
    },
    "SOME_RECORDS": {
        "en": "Name some of the client's records, and not all of them, to take out.",
        "ru": "Назовите часть записей клиента, но не все, чтобы их отделить.",
    },
    "NO_RECORDS": {
        "en": "The client has no records by which it could be joined or parted.",
        "ru": "У клиента нет записей, по которым его можно объединить или разделить.",
    },
    "READ_BY_NEXT_SYNC": {
        "en": "It is read by the sync that was asked for with it.",
        "ru": "Это прочтёт синхронизация, запрошенная вместе с этим.",
    },
    "VERIFICATION_QUEUED": {
        "en": "It begins as soon as no sync is waiting.",
        "ru": "Сверка начнётся, как только не останется ожидающих синхронизаций.",
    },
    "VERIFICATION_JOINED": {
        "en": "One waits already: that one will do.",
        "ru": "Сверка уже стоит в очереди: её результата достаточно.",
    },
    "READ_AFTER_THIS_SYNC": {
        "en": "A sync runs now: what that has begun already is read by the one after it.",
        "ru": "Сейчас идёт синхронизация: начатое ею прочтёт та, что последует за ней.",
    },
    "WITHOUT_CAMPAIGN": {"en": "what has no campaign", "ru": "того, что без кампании"},
    "REVENUE_FALLS": {
        "en": "Revenue of «{name}» falls by {by} {currency}.",
        "ru": "Выручка «{name}» уменьшится на {by} {currency}.",
    },
    "REVENUE_RISES": {
        "en": "Revenue of «{name}» rises by {by} {currency}.",
        "ru": "Выручка «{name}» вырастет на {by} {currency}.",
    },
    "COUNTS_CHANGE": {"en": "«{name}»: {told}.", "ru": "«{name}»: {told}."},
    "CALLS": {"en": "calls", "ru": "звонки"},
    "LEADS": {"en": "leads", "ru": "лиды"},
    "NEW_CLIENTS": {"en": "new clients", "ru": "новые клиенты"},
    "WON_DEALS": {"en": "won deals", "ru": "выигранные сделки"},
    "NOT_MAPPABLE": {"ru": "Поля записей «{kind}» заполнять нельзя."},
    "NOT_MAPPABLE_FIELD": {"ru": "У «{kind}» нет поля «{field}», которое можно заполнить; есть {known}."},
    "NO_SUCH_CUSTOM_FIELD": {"ru": "В аккаунте нет поля «{key}» у записей «{kind}»."},
    "TYPES_DIFFER": {"ru": "Тип поля «{label}» — {type}; {field} заполняется из {fitting}."},
    "TOO_OFTEN": {"ru": "Подключение синхронизируется не чаще раза в минуту."},
    "MISSING": {"ru": "Заполните «{label}».{where}"},
    "UNFIT": {"ru": "«{label}» не подходит: {reason}.{where}"},
    "UNFIT_TOGETHER": {"ru": "{reason}."},
    "NO_SUCH_SETTING": {"ru": "У «{system}» нет настройки «{name}»; есть {known}."},
    "NO_SUCH_CONNECTOR": {"ru": "Коннектора «{key}» нет; какие есть, говорит `connectors`."},
    "NO_SUCH_STREAM": {"ru": "Потока «{stream}» нет; есть {known}."},
    "ENDS_BEFORE_IT_BEGINS": {"ru": "Последний день раньше первого."},
    "VERIFIED_TOO_OFTEN": {"ru": "Сверять можно не чаще раза в час; 0 — никогда."},
    "NO_STREAMS": {"ru": "Назовите хотя бы один поток или не называйте их вовсе: тогда все."},
    "IN_FUTURE": {"ru": "Этот день ещё не наступил: укажите сегодняшний или более ранний."},
    "NO_WEBHOOKS": {"ru": "«{system}» сама ничего не сообщает: её читают по расписанию."},
    "NO_DOOR": {"ru": "У подключения ещё нет адреса для входящих вебхуков: сначала откройте его."},
    "BY_HAND_ONLY": {"ru": "«{system}» не принимает адрес через API: вставьте его вручную."},
    "NO_EVENTS": {"ru": "Назовите хотя бы одно событие: call.created, client.* или *."},
    "NO_SUCH_EVENT": {"ru": "События «{event}» нет: бывают call.created, client.*, * и подобные."},
    "BAD_URL": {"ru": "Адрес должен быть вида https://example.com/hook."},
    "ADDRESS_REFUSED": {
        "ru": "На этот адрес писать нельзя: нужен адрес https, доступный из интернета, без имени пользователя, "
        "пароля и обратной черты. Свою внутреннюю систему разрешает оператор: SKVOZ_ALLOW_PRIVATE_HOSTS.",
    },
    "TOO_MANY_WEBHOOKS": {"ru": "В рабочем пространстве не больше {most} вебхуков: сначала удалите лишний."},
}
