"""Rules that people edit: how reports group channels, and which campaign UTM tags mean. Pure functions.

Rules change no record: they are applied when a report is asked for, each question by the rules that hold then.
Every edit is a new version (``reports.rulebook`` keeps them), and what it would do is known before
(``reports.rule_preview``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from uuid import UUID

from schema.traffic import UTM_PLATFORM

MOST = 200
"""How many rules a set may have."""
_LONGEST = 200


class RuleKind(StrEnum):
    """What a set of rules decides."""

    CHANNEL = "channel"
    CAMPAIGN = "campaign"


@dataclass(frozen=True, slots=True)
class Tags:
    """What is known of a campaign, or of traffic without one; lower case, empty where it isn't known."""

    channel: str = ""
    platform: str = ""
    source: str = ""
    medium: str = ""
    campaign: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """If all patterns fit (``*`` stands for anything, ``?`` for one character), the answer is ``then``: the name of
    a channel group, or the id of a campaign. A pattern that isn't given fits everything."""

    then: str
    channel: str | None = None
    platform: str | None = None
    source: str | None = None
    medium: str | None = None
    campaign: str | None = None

    def fits(self, tags: Tags) -> bool:
        return all(
            pattern is None or fnmatchcase(getattr(tags, name), pattern.lower())
            for name, pattern in self.patterns().items()
        )

    def patterns(self) -> dict[str, str | None]:
        return {each.name: getattr(self, each.name) for each in fields(Tags)}


@dataclass(frozen=True, slots=True)
class Known:
    """A campaign as rules see it: the tags that it is known by, and the channel that it counts in."""

    id: UUID
    name: str
    platform: str
    tags: Tags


@dataclass(frozen=True, slots=True)
class Grouping:
    """What rules make of campaigns and channels, and which versions of them."""

    meant: Mapping[UUID, UUID]
    groups: Mapping[UUID, str]
    channels: Mapping[str, str]
    campaign_version: int = 0
    channel_version: int = 0


NO_RULES = Grouping({}, {}, {})


def checked(kind: RuleKind, rules: Sequence[Rule], campaigns: Iterable[Known]) -> None:
    """Raises ``ValueError`` for rules that can't be, with the number of the rule."""
    if len(rules) > MOST:
        raise ValueError(f"A set has at most {MOST} rules.")
    real = {str(each.id) for each in campaigns if each.platform != UTM_PLATFORM}
    for number, rule in enumerate(rules, 1):
        given = [pattern for pattern in rule.patterns().values() if pattern is not None]
        if not given:
            raise ValueError(f"Rule {number} fits everything: give at least one pattern.")
        if any(not 0 < len(text.strip()) <= _LONGEST for text in (*given, rule.then)):
            raise ValueError(f"Rule {number} has an empty text, or one of more than {_LONGEST} characters.")
        if kind is RuleKind.CAMPAIGN and rule.then not in real:
            raise ValueError(f"Rule {number} names no campaign of an ad platform.")


def group_of(rules: Sequence[Rule], tags: Tags) -> str | None:
    """The group of the first rule that fits; None: the usual channel groups hold."""
    return next((rule.then for rule in rules if rule.fits(tags)), None)


def campaigns_meant(rules: Sequence[Rule], campaigns: Iterable[Known]) -> dict[UUID, UUID]:
    """Which campaign of a platform each campaign means that is known by UTM tags alone."""
    meant = {}
    for each in campaigns:
        if each.platform == UTM_PLATFORM and (found := group_of(rules, each.tags)) is not None:
            meant[each.id] = UUID(found)
    return meant


def groups_of(rules: Sequence[Rule], campaigns: Iterable[Known]) -> dict[UUID, str]:
    """The channel group of each campaign: by the rules, else its channel."""
    return {each.id: group_of(rules, each.tags) or each.tags.channel for each in campaigns}


def groups_of_channels(rules: Sequence[Rule], channels: Iterable[str]) -> Mapping[str, str]:
    """The channel group of traffic that names no campaign, by its channel."""
    return {channel: group_of(rules, Tags(channel=channel)) or channel for channel in channels}
