"""The application that the server loads: `granian --interface wsgi gatekeeper.web.wsgi:app`."""

from __future__ import annotations

import redis
import structlog
from flask import Flask

from gatekeeper import logs
from gatekeeper.bootstrap import Parts, parts
from gatekeeper.ledger.server_check import problems
from gatekeeper.web.app import create_app


def _start() -> Flask:
    logs.configure()
    made = parts()
    _log_server_problems(made)
    return create_app(made)


def _log_server_problems(made: Parts) -> None:
    """Say what is wrong with the ledger's server. Calls are served whatever it is."""
    log = structlog.get_logger()
    try:
        found = problems(made.gate.client)
    except redis.RedisError as error:
        log.warning("ledger_not_checked", error=str(error)[:200])
    else:
        for problem in found:
            log.warning("ledger_server_unfit", problem=problem)


app = _start()
