"""AI Receptionist → Settings: automatic top-offs, what they cost, and what saving them charges."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from gatekeeper.bootstrap import Parts
from gatekeeper.domain.account import Account
from gatekeeper.domain.money import CreditPrice
from gatekeeper.domain.suggestion import Suggestion, suggest_topoff
from gatekeeper.history.engine import describe_sql_error
from gatekeeper.ledger.errors import SettingsChanged
from gatekeeper.ledger.store import wall_clock_ms
from gatekeeper.web.portal.billing_words import card_words
from gatekeeper.web.portal.blueprint import PortalBlueprint
from gatekeeper.web.portal.doorkeeper import Right
from gatekeeper.web.portal.formats import write_day
from gatekeeper.web.portal.recent_use import recent_use
from gatekeeper.web.portal.topoff_form import Terms, TopoffForm, version_of
from gatekeeper.web.portal.visitor import acting_for, visitor

_PATH: Final = "/a/<account_id>/receptionist/settings"

_log = structlog.get_logger()


def add_topoff_settings(pages: PortalBlueprint, parts: Parts) -> None:
    """Add the page to those of AI Receptionist."""
    page = _SettingsPage(parts)

    @pages.get(_PATH, right=Right.SEE)
    def settings(account_id: str) -> ResponseReturnValue:
        account = page.account(account_id)
        return page.render(account, page.form(account))

    @pages.get(f"{_PATH}/terms", right=Right.SEE)
    def topoff_terms(account_id: str) -> ResponseReturnValue:
        """Answer with what the numbers typed would cost; asked for while somebody types."""
        account = page.account(account_id)
        terms = page.terms(account, TopoffForm.read(request.args))
        return render_template("portal/_topoff_terms.html", account=account, terms=terms)

    # OPTIONS of this path is the page's, by its own right.
    @pages.post(_PATH, right=Right.PAY, provide_automatic_options=False)
    def save_settings(account_id: str) -> ResponseReturnValue:
        """Save, and go on to the card with the button that says so.

        With the button of the suggestion its numbers are filled in, and nothing is saved; with the
        one that cancels what was asked, the form is as it was.
        """
        account = page.account(account_id)
        form = TopoffForm.read(request.form)
        if {"suggestion", "edit"} & request.form.keys():
            return page.render(account, form, fill_in="suggestion" in request.form)
        terms = page.terms(account, form)
        if terms.problems:
            return page.render(account, form, problems=terms.problems), 422
        if not form.is_of(account.topoff) and terms.settings != account.topoff:
            return page.render_changed(account, form), 409
        if terms.must_ask(shown=form.shown, agreed=request.form.get("agreed", "")):
            return _ask(account, form, terms)
        try:
            page.save(terms)
        except SettingsChanged:
            return page.render_changed(page.account(account_id), form), 409
        next_page = "card.change" if "card" in request.form else ".settings"
        return redirect(url_for(next_page, account_id=account_id), 303)


class _SettingsPage:
    """Reads and writes for the page."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def account(self, account_id: str) -> Account:
        return self._parts.ledger.accounts.account(account_id)

    def terms(self, account: Account, form: TopoffForm) -> Terms:
        return Terms(
            account=account,
            settings=form.settings(account.topoff, self._currency),
            price_minor=self._price_minor(account),
            currency=self._currency,
            now_ms=wall_clock_ms(),
        )

    def form(self, account: Account) -> TopoffForm:
        return TopoffForm.of(account.topoff, self._currency)

    def suggestion(self, account: Account) -> Suggestion | None:
        """Suggest settings; None when there is too little to go by, or no history now."""
        try:
            used = recent_use(self._parts.history, account.id, account.timezone, wall_clock_ms())
        except SQLAlchemyError as error:
            _log.warning("portal_without_history", error=describe_sql_error(error))
            return None
        return suggest_topoff(used, self._price_minor(account))

    def save(self, terms: Terms) -> None:
        """Save, and say so. What is saved already is left alone: a form sent twice charges once."""
        account, said = terms.account, "Your settings are saved."
        if terms.changes_anything:
            topoff_id = self._parts.ledger.accounts.set_topoff(
                account.id,
                terms.settings,
                price=CreditPrice(self._parts.settings.credit_price, self._currency),
                instead_of=account.topoff,
                by=acting_for(visitor()),
            )
            _log.info("topoff_set", account=account.id, enabled=terms.settings.enabled)
            if topoff_id not in ("", account.topoff_id) and terms.can_charge:
                said = f"{said} A charge of {terms.price} is on its way."
        if terms.settings.enabled and terms.is_capped:
            day = write_day(terms.period_end_ms, account.timezone)
            said = f"{said} The spending cap is reached, so there is no top-off until {day}."
        flash(said)

    def render(
        self,
        account: Account,
        form: TopoffForm,
        *,
        problems: dict[str, str] | None = None,
        fill_in: bool = False,
        is_changed: bool = False,
    ) -> str:
        told = self.suggestion(account) if visitor().may_pay else None
        if fill_in and told is not None:
            form = form.with_suggestion(told)
        return render_template(
            "portal/topoff_settings.html",
            account=account,
            visitor=visitor(),
            form=form,
            terms=self.terms(account, form),
            problems=problems or {},
            suggestion=told,
            is_suggested=told is not None and form == form.with_suggestion(told),
            is_filled_in=fill_in,
            is_changed=is_changed,
            currency=self._currency.upper(),
        )

    def render_changed(self, account: Account, form: TopoffForm) -> str:
        """Show what was typed once more: what is saved has changed since the form was shown."""
        form = replace(form, made_from=version_of(account.topoff))
        return self.render(account, form, is_changed=True)

    @property
    def _currency(self) -> str:
        return self._parts.settings.currency

    def _price_minor(self, account: Account) -> int:
        return account.price_minor or self._parts.settings.credit_price


def _ask(account: Account, form: TopoffForm, terms: Terms) -> str:
    """Ask before a charge, or before a price is agreed to that the form did not show."""
    return render_template(
        "portal/topoff_confirm.html",
        account=account,
        terms=terms,
        card=card_words(account),
        fields={
            "enabled": "1",
            "threshold": form.threshold,
            "amount": form.amount,
            "spending_cap": form.spending_cap,
            "made_from": form.made_from,
            "shown": terms.consent,
            "agreed": terms.consent if terms.charges_at_once else "",
        },
    )
