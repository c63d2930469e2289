"""Yandex.Direct's refusals: code, text and detail, as its errors list has them."""

from __future__ import annotations

TEXTS = {
    52: "Сервер авторизации временно недоступен",
    53: "Ошибка авторизации",
    54: "Нет прав",
    55: "Метод не поддерживается",
    56: "Превышен лимит запросов метода",
    152: "Недостаточно баллов",
    506: "Превышен лимит соединений",
    4001: "Неверно заданы параметры фильтрации SelectionCriteria",
    4002: "Неверно заданы параметры",
    8000: "Неверный запрос",
    9000: "Превышено количество отчетов в очереди",
}


class DirectError(Exception):
    """A refusal with its ``code``; JSON services tell it with HTTP 200, Reports with 400."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
