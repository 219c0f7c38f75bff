"""A Checkout Session as the API shows it."""

from typing import Any

from gatekeeper.sandbox.stripe import params
from gatekeeper.sandbox.stripe.checkout.line_items import Basket
from gatekeeper.sandbox.stripe.checkout.session_params import LONGEST_S, offers_saving
from gatekeeper.sandbox.stripe.errors import Json
from gatekeeper.sandbox.stripe.state import Call, new_id


def new_session(call: Call, values: dict[str, Any], basket: Basket | None) -> Json:
    """Make an open session; without a basket it is one in setup mode."""
    id_ = new_id("cs_test", 58)
    customer = values.get("customer")
    total_minor = basket.total_minor if basket else None
    return {
        "id": id_,
        "object": "checkout.session",
        "adaptive_pricing": None,
        "after_expiration": None,
        "allow_promotion_codes": None,
        "allowed_payment_method_types": values.get("allowed_payment_method_types"),
        "amount_subtotal": total_minor,
        "amount_total": total_minor,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "branding_settings": None,
        "cancel_url": values.get("cancel_url"),
        "client_reference_id": values.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": call.now_s(),
        "currency": basket.currency if basket else values.get("currency"),
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": customer,
        "customer_account": None,
        "customer_creation": (None if customer else values.get("customer_creation", "if_required")),
        "customer_details": None,
        "customer_email": values.get("customer_email"),
        "discounts": [],
        "excluded_payment_method_types": None,
        "expires_at": values.get("expires_at", call.now_s() + LONGEST_S),
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": None,
        "managed_payments": {"enabled": False},
        "metadata": params.merge_metadata({}, values.get("metadata", {})),
        "mode": values["mode"],
        "optional_items": None,
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required" if basket else "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid" if basket else "no_payment_required",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "presentment_details": None,
        "recovered_from": None,
        "redirect_on_completion": None,
        "return_url": None,
        "saved_payment_method_options": _saving(values) if basket else None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": values["success_url"],
        "total_details": _no_details() if basket else None,
        "ui_mode": "hosted_page",
        "url": f"{call.state.origin}/c/pay/{id_}",
        "wallet_options": None,
    }


def _saving(values: dict[str, Any]) -> Json:
    return {
        "allow_redisplay_filters": ["always"],
        "payment_method_remove": "disabled",
        "payment_method_save": "enabled" if offers_saving(values) else "disabled",
    }


def _no_details() -> Json:
    return {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}


def customer_details(email: str | None, name: str | None) -> Json:
    """Say who paid, as far as the page asks."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }
