-- Make the card that a person saved at Checkout the account's, once, unless a newer one was
-- attached, or the account's card taken away, or they may no longer pay for it, since.
-- KEYS[9] checkout   KEYS[10] members
-- ARGV[5] checkout id   ARGV[6] customer   ARGV[7] payment method   ARGV[8] brand
-- ARGV[9] last four   ARGV[10] expiry   ARGV[11] when it was saved, ms
-- Replies {'unknown_account'}, {'cycle_over', …} or {status}
--   'attached'     now
--   'superseded'   the account's card is newer, or who saved this one may no longer pay
--   'repeated'     one of these, before
--   'mismatch'     the card is another customer's
-- Writes the checkout; what set_card writes, by whoever began the visit.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local f = redis.call('HMGET', KEYS[9], 'state', 'customer', 'by')
if f[1] == 'succeeded' then return { 'repeated' } end
local customer = f[2] or redis.call('HGET', PROFILE, 'customer')
if customer and customer ~= ARGV[6] then return { 'mismatch' } end
redis.call('HSET', KEYS[9], 'account', ID, 'mode', 'setup', 'state', 'succeeded',
  'customer', ARGV[6], 'card_last4', ARGV[9], 'finished_at_ms', NOW)
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
local by = f[3] or ''
if not is_newest_card(ARGV[11]) or not may_pay(by, KEYS[10]) then return { 'superseded' } end
attach_card(account, ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], by)
return { 'attached' }
