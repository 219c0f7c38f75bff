-- Let a subscription drive the account no more. Its cycle goes on with the allotment, anchor and
-- interval that it has; what was withheld counts as not granted.
-- ARGV[5] subscription   ARGV[6] detail of the entry
-- Replies {'unknown_account' | 'not_driven' | 'unlinked'}
-- Writes the account and its profile, an entry; strikes off a look at Stripe that is owed.

local account = read_account()
if not account then return { 'unknown_account' } end
if redis.call('HGET', PROFILE, 'subscription') ~= ARGV[5] then return { 'not_driven' } end
local withheld = redis.call('HGET', ACCOUNT, 'withheld')
if withheld then
  redis.call('HINCRBY', ACCOUNT, 'cycle_granted', 0 - withheld)
  redis.call('HDEL', ACCOUNT, 'withheld')
end
redis.call('HDEL', PROFILE, 'subscription', 'subscription_status')
strike('subscription:' .. ID)
append(account, 'account_changed', 0, 0, ID, 'subscription_unlinked', '', ARGV[6])
return { 'unlinked' }
