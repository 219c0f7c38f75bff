-- Make the account's card follow what Stripe says of it. It stays the same card: no incident is
-- resolved, and the threshold is not looked at.
-- ARGV[5] the mark under which `card:<account>` was owed as Stripe was asked
-- ARGV[6] payment method   ARGV[7] brand, '' = it is not the customer's any more
-- ARGV[8] last four   ARGV[9] expiry
-- Replies {'unknown_account' | 'updated' | 'same' | 'removed' | 'another' | 'superseded'}
--   'another': the account's card is another by now, or none; nothing was changed
--   'superseded': there was news since Stripe was asked; nothing was changed
-- Writes the profile, an entry. `card_at_ms` stays: a card that somebody saves meanwhile is newer than
-- this one, whenever it becomes known here that this one is gone.

local account = read_account()
if not account then return { 'unknown_account' } end
local mark = string.match(redis.call('HGET', TRIES, 'card:' .. ID) or '', '%d+$')
if mark ~= ARGV[5] then return { 'superseded' } end
local there = redis.call('HMGET', PROFILE, 'payment_method', 'card_brand', 'card_last4',
  'card_expiry')
if there[1] ~= ARGV[6] then return { 'another' } end
if ARGV[7] == '' then
  detach_card(account, '')
  return { 'removed' }
end
if there[2] == ARGV[7] and there[3] == ARGV[8] and there[4] == ARGV[9] then return { 'same' } end
redis.call('HSET', PROFILE, 'card_brand', ARGV[7], 'card_last4', ARGV[8], 'card_expiry', ARGV[9])
tell_of_card(account, 'card_updated', '', ARGV[7], ARGV[8])
-- An issuer's "never again" was said of a number and an expiry that are no more.
redis.call('HDEL', PROFILE, 'card_refused')
return { 'updated' }
