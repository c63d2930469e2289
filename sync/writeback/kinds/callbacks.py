"""Rules by which who has written is rung up."""

from __future__ import annotations

from datetime import datetime, time
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field

from schema.enums import RecordKind
from sync.writeback.kinds.base import Language, RuleSettings, Title

Asked = Literal["form", "chat"]
_WORDS: dict[Language, dict[frozenset[Asked], str]] = {
    "en": {
        frozenset({"form"}): "Who sends a form",
        frozenset({"chat"}): "Who writes in a chat",
        frozenset({"form", "chat"}): "Who sends a form or writes in a chat",
    },
    "ru": {
        frozenset({"form"}): "Кто отправил форму",
        frozenset({"chat"}): "Кто написал в чат",
        frozenset({"form", "chat"}): "Кто отправил форму или написал в чат",
    },
}


class RequestToCallback(RuleSettings):
    """Who leaves a phone in a form or chat elsewhere is called back by the call tracker's widget."""

    kind: Literal["request_to_callback"] = "request_to_callback"
    write: ClassVar[str] = "callback.create"
    lacking: ClassVar[str] = "has no call back that can be asked for"
    causes: ClassVar[frozenset[RecordKind]] = frozenset({RecordKind.LEAD})

    requests_from: UUID | None = Field(default=None, title="Requests of this connection only")
    requests: frozenset[Asked] = Field(default=frozenset({"form", "chat"}), title="Which requests", min_length=1)
    hours: Literal["any", "within", "outside"] = Field(
        default="any",
        title="When",
        description="'outside': only what comes outside of working hours, for a route that leads to those on duty.",
    )
    opens: time = Field(default=time(9), title="Work begins at", description="In the workspace's time zone.")
    closes: time = Field(default=time(18), title="Work ends at")
    days: frozenset[int] = Field(
        default=frozenset(range(1, 6)), title="Working days", description="1 is Monday, 7 is Sunday."
    )
    within_minutes: int = Field(
        default=15,
        ge=1,
        le=60,
        title="At most so long after",
        description="Minutes: what is learnt of later is left to people, who may have called already.",
    )
    tags: tuple[str, ...] = Field(default=(), title="Tags")

    def reads_from(self) -> UUID | None:
        return self.requests_from

    def takes(self, at: datetime) -> bool:
        """Whether a request of that local time is one to call back."""
        working = at.isoweekday() in self.days and self.opens <= at.time() < self.closes
        return self.hours == "any" or working == (self.hours == "within")

    def sentence(self, target: str, title: Title, language: Language = "en") -> str:
        who = _WORDS[language][self.requests]
        span = f"{self.opens:%H:%M}–{self.closes:%H:%M}"
        if language == "ru":
            source = f" («{title(self.requests_from)}»)" if self.requests_from else ""
            when = {"any": "", "within": f" в рабочее время ({span})", "outside": f" вне рабочего времени ({span})"}
            return (
                f"{who}{source}{when[self.hours]} и оставил телефон, тому заказывается обратный звонок "
                f"в «{target}», если прошло не более {self.within_minutes} мин и ему ещё не перезвонили."
            )
        source = f" («{title(self.requests_from)}»)" if self.requests_from else ""
        when = {
            "any": "",
            "within": f" in working hours ({span})",
            "outside": f" outside of working hours ({span})",
        }
        return (
            f"{who}{source}{when[self.hours]} and leaves a phone is called back by «{target}», "
            f"unless {self.within_minutes} minutes have passed or somebody has called already."
        )
