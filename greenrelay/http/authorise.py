"""What a configuration says of security, given to the node that it is for.

Source: HTTP, "Security"; Configuration (everything wrong is told before anything starts).
"""

from __future__ import annotations

import logging

from greenrelay.config.entries import HttpEndpoint, SecurityPolicy, SecurityTokenStore
from greenrelay.config.mark import Problem
from greenrelay.config.resolve import Configuration
from greenrelay.http.middleware.firewall import flask_endpoint
from greenrelay.runtime.node import Node
from greenrelay.security.authority import authority_of, make_store

log = logging.getLogger("greenrelay.config")


def authorise(node: Node, configuration: Configuration) -> None:
    """Let the policies and token stores decide on ``node`` from now on."""
    # Every entry, also in the part of one server: its tokens are good on all of them.
    entries = configuration.all
    stores = [each for each in entries if isinstance(each, SecurityTokenStore)]
    endpoints = [each for each in entries if isinstance(each, HttpEndpoint)]
    authority_of(node).configure(
        [each.policy() for each in entries if isinstance(each, SecurityPolicy)],
        {each.id: each.settings() for each in stores},
        {flask_endpoint(each.router, each.id): each.id for each in endpoints},
        configuration.namespace,
    )
    for store in stores:
        _warn_of_what_has_no_effect(store)


def store_problems(configuration: Configuration) -> list[Problem]:
    """Return what token stores need to be installed, and which keys are none."""
    found: list[Problem] = []
    for entry in configuration.all:
        # What is wrong with the fields themselves was told when they were read.
        if isinstance(entry, SecurityTokenStore) and not entry.problems():
            try:
                make_store(entry.settings())
            except ValueError as error:
                found.append(entry.problem("type", str(error)))
    return found


def _warn_of_what_has_no_effect(store: SecurityTokenStore) -> None:
    settings = store.settings()
    for field in store.marks:
        if not settings.uses(field):
            what = f"has no effect on a store of type {store.type}"
            log.warning("%s", store.problem(field, what))
