"""An ``http.dashboard`` as rules of Flask: the page, its files, the door and the socket.

Source: Operations, "Dashboard". Who may come in is asked of every request; who may do something is
asked of every message, see ``desk.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, time

from flask import Flask, current_app, request
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from greenrelay.config.dashboard import READONLY
from greenrelay.config.entries import HttpDashboard
from greenrelay.config.resolve import Configuration
from greenrelay.dashboard.attempts import WINDOW, Attempts
from greenrelay.dashboard.desk import Desk, close_desks
from greenrelay.dashboard.guard import why_not_local
from greenrelay.dashboard.observer import observe
from greenrelay.dashboard.page import answer_asset, answer_page, answer_text
from greenrelay.dashboard.reports import follow_reports
from greenrelay.dashboard.scope import Scope
from greenrelay.dashboard.session import SECONDS, Sessions, is_password, key_of
from greenrelay.http.actor import authority, current_actor
from greenrelay.http.middleware.websocket_relay import RelayOptions, relay_middleware
from greenrelay.http.relay_response import relay
from greenrelay.http.state import EXTENSION, AppState, state_of
from greenrelay.relay.origin import parse_origins
from greenrelay.runtime.messaging import spawn

log = logging.getLogger("greenrelay.dashboard")

COOKIE = "greenrelay_dashboard"
InForce = Callable[[Flask], Configuration]
# It must be reachable when all places are taken, by pages of this very server only.
_OPTIONS = RelayOptions(require_origin=True, max_connections=0, rate_messages=50)
_OWN_PAGES = parse_origins((), require_origin=True)
_NOT_LOCAL = (
    "This dashboard can be reached from the server's own machine only, because it has neither a "
    "password nor an action: {why}."
)


def mount_dashboard(app: Flask, entry: HttpDashboard, in_force: InForce) -> None:
    """Serve the dashboard of ``entry``; ``in_force`` returns the configuration of an app."""
    follow_reports()
    door = Door(entry, in_force, Sessions(key_of(entry.id, entry.password, app.secret_key)))
    _tell_other_nodes(app, in_force)
    relayed = relay_middleware(_OPTIONS)(door.socket)
    rules: list[tuple[str, str, str, Callable[..., Response]]] = [
        ("page", "GET", "/", door.page),
        ("asset", "GET", "/assets/<name>", door.asset),
        ("sign_in", "POST", "/sign-in", door.sign_in),
        ("sign_out", "POST", "/sign-out", door.sign_out),
        ("socket", "GET", "/socket", relayed),
    ]
    for name, method, path, view in rules:
        app.add_url_rule(
            f"{entry.path}{path}",
            endpoint=f"{entry.id}:{name}",
            view_func=view,
            methods=[method],
            provide_automatic_options=False,
        )


def dashboards_changed(app: Flask, configuration: Configuration, in_force: InForce) -> None:
    """Do what a reload has to do besides routes; ``configuration`` is in force in ``app`` by now.

    Other nodes hear that this one has a dashboard, or has none any more.
    """
    state = state_of(app)
    told = _told(state, app, in_force)
    change = partial(observe, told, is_wanted=bool(configuration.dashboards))
    if state.starters:
        # Nothing runs by now.
        state.starters.append(change)
    else:
        change()


def _tell_other_nodes(app: Flask, in_force: InForce) -> None:
    state = app.extensions.get(EXTENSION)
    # What a reload mounts on has no state: see ``dashboards_changed``.
    if isinstance(state, AppState):
        state.starters.append(partial(observe, _told(state, app, in_force)))


def _told(state: AppState, app: Flask, in_force: InForce) -> Scope:
    return Scope(state.node, partial(in_force, app), READONLY, "", who="other nodes")


@dataclass(slots=True)
class Door:
    """The views of one dashboard."""

    entry: HttpDashboard
    in_force: InForce
    sessions: Sessions
    attempts: Attempts = field(default_factory=Attempts)

    def page(self) -> Response:
        """Answer with the page, or with the form that asks for the password."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        cookie = self._cookie()
        if cookie is None and self.entry.password is not None:
            return answer_page("sign-in.html", 401, problem="")
        cookie = cookie or self.sessions.begin(time())
        answer = answer_page(
            "index.html",
            token=self.sessions.token(cookie),
            role=self.entry.role,
            signed="yes" if self.entry.password is not None else "no",
        )
        self._give(answer, cookie)
        return answer

    def asset(self, name: str) -> Response:
        """Answer with a file of the page, which is no secret."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        return answer_asset(name).make_conditional(request.environ)

    def sign_in(self) -> Response:
        """Begin a session for whoever knows the password."""
        refusal = self._refusal() or self._refuse_strangers()
        if refusal is not None:
            return refusal
        password, address = self.entry.password, request.remote_addr or ""
        if password is None:
            return self._to_page()
        if not self.attempts.may_try(address, monotonic()):
            log.warning("%s: too many wrong passwords from %s", self.entry.id, address)
            answer = answer_page("sign-in.html", 429, problem="Too many attempts: wait a minute.")
            answer.headers["Retry-After"] = str(int(WINDOW))
            return answer
        if not is_password(request.form.get("password", ""), password):
            self.attempts.failed(address, monotonic())
            log.warning("%s: wrong password from %s", self.entry.id, address)
            return answer_page("sign-in.html", 401, problem="This is not the password.")
        log.info("%s: %s has signed in", self.entry.id, address)
        answer = self._to_page()
        self._give(answer, self.sessions.begin(time()))
        return answer

    def sign_out(self) -> Response:
        """End the session of this browser, and close the sockets of its pages."""
        refusal = self._refusal() or self._refuse_strangers()
        if refusal is not None:
            return refusal
        cookie = self._cookie()
        if cookie is not None:
            self.sessions.end(cookie, time())
            close_desks(state_of(current_app).node, self.sessions.token(cookie))
        answer = self._to_page()
        answer.delete_cookie(COOKIE, path=f"{self.entry.path}/")
        return answer

    def socket(self) -> Response:
        """Hand the page's WebSocket to a desk of its own."""
        refusal = self._refusal()
        if refusal is not None:
            return refusal
        cookie, now = self._cookie(), time()
        until = None if cookie is None else self.sessions.ends_at(cookie, now)
        if cookie is None or until is None:
            return answer_text(401, "Open the page of the dashboard first.")
        actor = current_actor()
        state, app = state_of(current_app), current_app._get_current_object()  # type: ignore[attr-defined]
        scope = Scope(
            state.node,
            partial(self.in_force, app),
            self.entry.role,
            self.sessions.token(cookie),
            who=actor.id if actor is not None else request.remote_addr or "",
            ends_at=until,
        )
        return relay(spawn(Desk, scope), metadata={"dashboard": self.entry.id})

    # who may come in

    def _refusal(self) -> Response | None:
        entry = self.entry
        if entry.password is None and entry.action is None:
            why = why_not_local(request.environ)
            if why:
                log.warning("%s: refused %s: %s", entry.id, request.remote_addr or "-", why)
                return answer_text(403, _NOT_LOCAL.format(why=why))
        if entry.action is None:
            return None
        actor, decides = current_actor(), authority("http.dashboard")
        if actor is None or not actor.is_valid(decides.now()):
            return answer_text(401, "This dashboard asks who you are.")
        if decides.allows(actor, entry.action, entry.id):
            return None
        log.warning("%s: actor %s may not %s it", entry.id, actor.id, entry.action)
        return answer_text(403, "You may not see this dashboard.")

    def _refuse_strangers(self) -> Response | None:
        """Return the refusal of a form that another site has sent."""
        origin = request.headers.get("Origin")
        if _OWN_PAGES.allows(origin, scheme=request.scheme, host=request.host):
            return None
        log.warning("%s: refused a form of origin %s", self.entry.id, origin or "-")
        return answer_text(403, "This form was not sent by the dashboard's own page.")

    def _cookie(self) -> str | None:
        cookie = request.cookies.get(COOKIE, "")
        return cookie if self.sessions.ends_at(cookie, time()) is not None else None

    def _give(self, answer: Response, cookie: str) -> None:
        answer.set_cookie(
            COOKIE,
            cookie,
            max_age=SECONDS,
            path=f"{self.entry.path}/",
            secure=request.is_secure,
            httponly=True,
            samesite="Strict",
        )

    def _to_page(self) -> Response:
        return redirect("./", 303)
