-- What the verbs on cards and on visits to Checkout share beyond prelude.lua, which stands before this.
-- It is a file of its own because every call would pay for functions that it does not use.

-- Whether the account has neither got a newer card nor lost its card since one was saved.
local function is_newest_card(saved_at_ms)
  return tonumber(redis.call('HGET', PROFILE, 'card_at_ms') or 0) <= tonumber(saved_at_ms)
end

-- Whether who began a visit to Checkout may still pay for the account: an owner by now, or one of
-- the product's own people; also where that is not known. As in members.py and visitor.py.
local function may_pay(by, members)
  if by == '' or by:sub(-8) == ' (admin)' then return true end
  if by == redis.call('HGET', PROFILE, 'email') then return true end
  return (redis.call('HGET', members, by) or ''):match('^[^:]*') == 'owner'
end

-- Tell of a card that became the account's, or was taken away. No id of Stripe's stands in the log.
local function tell_of_card(account, change, by, brand, last4)
  append(account, 'account_changed', 0, 0, ID, change, '',
    cjson.encode({ by = by, brand = brand, last4 = last4 }))
end

-- Make a card the account's. That resolves the incident, lifts the block (R8), and looks at the
-- threshold again (R6). `by` is who saved it.
local function attach_card(account, customer, payment_method, brand, last4, expiry, saved_at_ms, by)
  local before = redis.call('HMGET', PROFILE, 'payment_method', 'card_brand', 'card_last4',
    'card_expiry')
  if before[1] ~= payment_method or before[2] ~= brand or before[3] ~= last4
      or before[4] ~= expiry then
    tell_of_card(account, 'card_saved', by, brand, last4)
  end
  redis.call('HSET', PROFILE, 'customer', customer, 'payment_method', payment_method,
    'card_brand', brand, 'card_last4', last4, 'card_expiry', expiry, 'card_at_ms', saved_at_ms)
  redis.call('HDEL', PROFILE, 'card_refused')
  unblock(account, 'card_attached')
  look(account)
end

-- Take the account's card away, if it has one. `by` is who did.
local function detach_card(account, by)
  local card = redis.call('HMGET', PROFILE, 'payment_method', 'card_brand', 'card_last4')
  redis.call('HDEL', PROFILE, 'card_refused', 'payment_method', 'card_brand', 'card_last4',
    'card_expiry')
  if card[1] then tell_of_card(account, 'card_removed', by, card[2], card[3]) end
end

