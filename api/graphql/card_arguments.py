"""Arguments that stand in several of the mutations that enter and edit cards."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.graphql.scalars import EmailText, PhoneText

ClientId = Annotated[
    strawberry.ID,
    strawberry.argument(description="Global id of the client."),
]
OfClient = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Global id of the client whose card it is, whatever its phones say."),
]
Phones = Annotated[
    list[PhoneText] | None,
    strawberry.argument(description="Phones, as people spell them."),
]
Emails = Annotated[
    list[EmailText] | None,
    strawberry.argument(description="E-mails."),
]
Responsible = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="Global id of the employee in charge."),
]
