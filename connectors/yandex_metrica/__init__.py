"""Yandex.Metrica: visits of the site with their visitors, sources and ads."""

from __future__ import annotations

import hashlib

import httpx

from connectors.auth import Bearer
from connectors.contract import Connector, RateLimit, Stream, TokenStore
from connectors.yandex_metrica.comparing import AUDIT_OF_VISITS
from connectors.yandex_metrica.conversions import TOGETHER, WRITES
from connectors.yandex_metrica.health import check, error_of
from connectors.yandex_metrica.mapping import map_visit
from connectors.yandex_metrica.reads import ask_visits, read_visits, start_visits
from connectors.yandex_metrica.settings import MetricaSettings
from schema.enums import RecordKind


def _auth(settings: MetricaSettings, _tokens: TokenStore) -> httpx.Auth:
    return Bearer(settings.token)


def _base_url(settings: MetricaSettings) -> str:
    return settings.base_url.rstrip("/")


def _account(settings: MetricaSettings) -> str:
    """Quotas are counted per login, whose name the token doesn't tell: all counters of one token share them."""
    owner = hashlib.sha256(settings.token.get_secret_value().encode()).hexdigest()[:12]
    return f"{httpx.URL(settings.base_url).netloc.decode()}/{owner}"


CONNECTOR = Connector(
    key="yandex_metrica",
    title="Yandex.Metrica",
    description="Web analytics: the visits of the site, each with its visitor, source, tags and clicked ad.",
    docs_url="https://yandex.com/dev/metrika/en/",
    settings=MetricaSettings,
    streams=(
        Stream(
            name="visits",
            title="Visits",
            makes=(RecordKind.VISIT,),
            start=start_visits,
            request=ask_visits,
            read=read_visits,
            map=map_visit,
            audit=AUDIT_OF_VISITS,
        ),
    ),
    base_url=_base_url,
    account=_account,
    check=check,
    auth=_auth,
    error_of=error_of,
    limits=(RateLimit(10, 1.0, source="https://yandex.com/dev/metrika/en/intro/quotas"),),
    writes=WRITES,
    together=TOGETHER,
    concurrency=2,  # of the three that Metrica allows a login
    verified_by="documentation",
)
