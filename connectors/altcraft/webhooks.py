"""What Altcraft tells by itself: action hooks, in batches, unsigned [15].

The body is only read for ids: profiles are fetched anew, and the history of the last days is read again.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from connectors.altcraft.settings import AltcraftSettings
from connectors.altcraft.wire import HookEvent
from connectors.contract import Delivery, Touched, Webhooks
from connectors.errors import BadRecord


def _read(settings: AltcraftSettings, delivery: Delivery) -> Sequence[Touched]:
    try:
        events = msgspec.json.decode(delivery.content, type=list[HookEvent])
    except msgspec.MsgspecError as error:
        raise BadRecord(f"The body isn't a batch of Altcraft's action hooks: {error}.") from None
    ours = [event for event in events if not event.is_test and event.list_id in (None, settings.db_id)]
    touched = [Touched("profiles", event.profile_id) for event in ours if event.profile_id]
    if ours:
        touched.append(Touched("messages", ""))
    return list(dict.fromkeys(touched))


WEBHOOKS: Webhooks[AltcraftSettings] = Webhooks(
    events=("send", "reply", "uopen", "uclick", "unsub", "complain", "hbounce", "import"),
    setup=(
        "As a master user: Integrations → Event capture (Интеграции → Перехват событий) → add; choose the "
        "database, the target HTTP batch, this address, and the events send, reply, uopen, uclick, unsub, "
        "complain, hbounce, import. A few seconds and a hundred events make a good batch."
    ),
    read=_read,
)
