"""The blueprint ``operations``: metrics, whether the server lives, and whether it is ready.

Source: Operations, "Metrics and health". It is mounted where its owner wants it: by a router, or by
``app.register_blueprint(operations)``. Nothing mounts it by itself.
"""

from __future__ import annotations

from flask import Blueprint, current_app, jsonify, request
from flask.blueprints import BlueprintSetupState
from werkzeug.wrappers import Response

from greenrelay.core.strategy import ChildState
from greenrelay.errors import ConfigError
from greenrelay.http.relay_response import refuse
from greenrelay.http.state import AppState, state_of
from greenrelay.metrics.instruments import IS_INSTALLED
from greenrelay.metrics.publisher import exposition, follow, publisher
from greenrelay.metrics.source import sources

OK = "ok"
_UP = (ChildState.RUNNING, ChildState.EXITED)
_FRESH = (("Cache-Control", "no-store"),)

operations = Blueprint("greenrelay_operations", __name__)


@operations.record
def _begin(_: BlueprintSetupState) -> None:
    # What is to be shown is measured from the start.
    if IS_INSTALLED:
        publisher()


@operations.get("/metrics")
def metrics() -> Response:
    """Show the metrics of all workers to a scraper."""
    try:
        body, media_type = exposition(request.headers.get("Accept", ""))
    except ConfigError as error:
        return refuse(501, str(error))
    follow(state_of(current_app).node)
    return Response(body, 200, _FRESH, content_type=media_type)


@operations.get("/livez")
def livez() -> Response:
    """Say that the hub answers: who gets no answer may restart the server."""
    return Response("ok\n", 200, _FRESH, mimetype="text/plain")


@operations.get("/readyz")
def readyz() -> Response:
    """Say whether requests should be sent here, with each thing that was looked at."""
    found = readiness(state_of(current_app))
    is_ready = all(each == OK for each in found.values())
    answer: Response = jsonify(status="ready" if is_ready else "not ready", checks=found)
    answer.status_code = 200 if is_ready else 503
    answer.headers.extend(_FRESH)
    return answer


def readiness(state: AppState) -> dict[str, str]:
    """Return what is looked at, each ``ok`` or what is wrong with it.

    That is draining, the engine of the cluster if there is one, and every service that starts by
    itself, of all applications of one node.
    """
    states = [each for each in sources() if isinstance(each, AppState) and each.node is state.node]
    is_draining = any(each.connections.is_draining for each in states)
    found = {"draining": "the server is going away" if is_draining else OK}
    cluster = state.node.cluster
    if cluster is not None:
        found["cluster"] = OK if cluster.is_reachable else "the engine cannot be reached"
    board = state.node.services
    wanted = [key for each in states for key in each.services()]
    for key in dict.fromkeys([*wanted, *board]):
        info = board.get(key)
        if info is None:
            found[f"service {key}"] = "not started"
        elif info.state in _UP:
            found[f"service {key}"] = OK
        else:
            found[f"service {key}"] = info.state.value
    return found
