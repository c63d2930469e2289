"""The answers with which a portal refuses a call."""

from __future__ import annotations


class RestError(Exception):
    """A refusal: HTTP status, the ``error`` code (which may be empty) and its description."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.code = code
        self.description = description

    @property
    def body(self) -> dict[str, str]:
        """As it stands in an answer and in ``result_error`` of a batch."""
        return {"error": self.code, "error_description": self.description}


def bad_id() -> RestError:
    """The old methods' answer to a missing or unreadable ID."""
    return RestError(400, "", "ID is not defined or invalid.")


def not_found() -> RestError:
    """The old methods' answer to an ID that doesn't exist."""
    return RestError(400, "", "Not found")


def item_not_found() -> RestError:
    """The same in the new dialect."""
    return RestError(400, "NOT_FOUND", "Элемент не найден")
