-- What the verbs on cards and on visits to Checkout share beyond prelude.lua, which stands before this.
-- It is a file of its own because every call would pay for functions that it does not use.

-- Whether the account has neither got a newer card nor lost its card since one was saved.
local function is_newest_card(saved_at_ms)
  return tonumber(redis.call('HGET', PROFILE, 'card_at_ms') or 0) <= tonumber(saved_at_ms)
end

-- Make a card the account's. That resolves the incident, lifts the block (R8), and looks at the
-- threshold again (R6).
local function attach_card(account, customer, payment_method, brand, last4, expiry, saved_at_ms)
  redis.call('HSET', PROFILE, 'customer', customer, 'payment_method', payment_method,
    'card_brand', brand, 'card_last4', last4, 'card_expiry', expiry, 'card_at_ms', saved_at_ms)
  redis.call('HDEL', PROFILE, 'card_refused')
  unblock(account, 'card_attached')
  look(account)
end

