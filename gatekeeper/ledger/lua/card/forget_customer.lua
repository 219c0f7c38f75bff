-- Forget which customer at Stripe the account was: it was deleted there, and its card with it.
-- ARGV[5] customer
-- Replies {'unknown_account' | 'forgotten' | 'another'}
--   'another': the account is, or by now is, another customer; nothing was changed
-- Writes the profile; the card goes too, with an entry.

local account = read_account()
if not account then return { 'unknown_account' } end
if redis.call('HGET', PROFILE, 'customer') ~= ARGV[5] then return { 'another' } end
detach_card(account, '')
redis.call('HDEL', PROFILE, 'customer')
redis.call('HSET', PROFILE, 'customer_before', ARGV[5])
return { 'forgotten' }
