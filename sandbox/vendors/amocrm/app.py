"""The account's doors: ``/api/v4/…`` and ``/oauth2/access_token``."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.vendors.amocrm import oauth
from sandbox.vendors.amocrm.behaviour import switches
from sandbox.vendors.amocrm.context import Context, sent_json
from sandbox.vendors.amocrm.entities import Entities
from sandbox.vendors.amocrm.gate import Gate, Handler
from sandbox.vendors.amocrm.hal import Problem, hal
from sandbox.vendors.amocrm.hooks import Hooks
from sandbox.vendors.amocrm.notes import Notes
from sandbox.vendors.amocrm.records import Records
from sandbox.vendors.amocrm.references import References
from sandbox.vendors.amocrm.registry import Registry
from sandbox.vendors.amocrm.tasks import Tasks
from sandbox.vendors.contract import World


def make_app(world: World) -> Starlette:
    """The application of one account."""
    registry = Registry(world)
    context = Context(world, Records(world, registry), registry, switches(world))
    gate, entities, notes, references = Gate(context), Entities(context), Notes(context), References(context)
    hooks, tasks = Hooks(context), Tasks(context)

    def api(path: str, **by_method: Handler) -> list[Route]:
        return [
            Route(f"/api/v4/{path}", gate.guard(handler), methods=[method.upper()])
            for method, handler in by_method.items()
        ]

    async def exchange(request: Request) -> Response:
        return hal(oauth.exchange(context, await sent_json(request)))

    async def authorize(_request: Request) -> Response:
        """The owner's consent given anew: no route of the vendor, but a page of its site in life."""
        return JSONResponse({"code": oauth.authorize(world)})

    async def refuse(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return Problem(status, f"Cannot {request.method} {request.url}").response

    return Starlette(
        routes=[
            *api("account", get=references.account),
            *api("users", get=references.users),
            *api("users/{id:int}", get=references.users),
            *api("leads/pipelines", get=references.pipelines),
            *api("leads/pipelines/{id:int}", get=references.pipelines),
            *api("leads/loss_reasons", get=references.loss_reasons),
            *api("leads/complex", post=entities.complex),
            *api("events", get=references.events),
            *api("events/{id}", get=references.event),
            *api("webhooks", get=hooks.read, post=hooks.add, delete=hooks.remove),
            *api("calls", post=notes.add_calls),
            *api("tasks", get=tasks.read_page, post=tasks.add),
            *api("{entity}", get=entities.read_page, post=entities.add, patch=entities.change),
            *api("{entity}/custom_fields", get=references.custom_fields, post=references.add_custom_fields),
            *api(
                "{entity}/custom_fields/{id:int}",
                patch=references.rename_custom_field,
                delete=references.remove_custom_field,
            ),
            *api("{entity}/tags", get=references.tags),
            *api("{entity}/notes", get=notes.read_page, post=notes.add),
            *api("{entity}/links", get=entities.links),
            *api("{entity}/{id:int}", get=entities.read, patch=entities.change_one),
            *api("{entity}/{id:int}/notes", get=notes.read_page, post=notes.add),
            *api("{entity}/{id:int}/links", get=entities.links),
            *api("{entity}/{id:int}/link", post=entities.link),
            *api("{entity}/{id:int}/unlink", post=entities.unlink),
            Route("/oauth2/access_token", gate.guard(exchange, with_token=False), methods=["POST"]),
            Route("/_authorize", authorize, methods=["POST"]),
            context.switches.route,
        ],
        exception_handlers={404: refuse, 405: refuse},
    )
