-- Credit a successful charge, once, whoever reports it first (R7, R10). Resolves the incident. What
-- was charged counts against the spending cap in the period in which this is told. That is noted for
-- an account without a cap too: one may be set before the period ends.
-- KEYS[9] top-off   KEYS[10] a second new notice
-- ARGV[5] top-off id   ARGV[6] PaymentIntent   ARGV[7] amount, minor units   ARGV[8] currency
-- ARGV[9] customer   ARGV[10] the last four digits of the card charged, '' = as saved
-- ARGV[11] id of the second notice   ARGV[12] default price of a credit, minor units
-- ARGV[13] start of the period by the account's anchor that contains now, ms
-- Replies {'unknown_topoff'} or {status, allotment, purchased}
--   'settled'    credited now
--   'repeated'   credited before
--   'mismatch'   PaymentIntent, amount, currency or customer are not this top-off's
--   'bad_move'   the top-off is in a state from which it cannot succeed
-- Writes the bucket, the top-off, the account, one entry, and one if the cap is reached; owes the
-- confirmation, and the cap's e-mail; strikes off the charge.

local account = read_account()
local f = redis.call('HMGET', KEYS[9], 'state', 'payment_intent', 'amount_minor', 'currency',
  'credits', 'customer', 'card_last4')
if not account or not f[1] then return { 'unknown_topoff' } end
if account.cycle_over then return cycle_over() end

local function reply(status)
  return { status, account.allotment, account.purchased }
end

if f[2] ~= ARGV[6] or f[3] ~= ARGV[7] or f[4] ~= ARGV[8] or f[6] ~= ARGV[9] then
  return reply('mismatch')
end
if f[1] == 'succeeded' then return reply('repeated') end
if not may_move(f[1], 'succeeded') then return reply('bad_move') end

local credits = tonumber(f[5])
local last4 = ARGV[10] ~= '' and ARGV[10] or f[7] or ''
apply(account, 0, credits)
redis.call('HSET', KEYS[9], 'state', 'succeeded', 'finished_at_ms', NOW, 'card_last4', last4)
redis.call('HDEL', KEYS[9], 'reason')
redis.call('EXPIRE', KEYS[9], RECORD_KEPT_S)
if account.topoff == ARGV[5] then redis.call('HDEL', ACCOUNT, 'topoff', 'topoff_state') end
append(account, 'topoff_succeeded', 0, credits, ARGV[5], ARGV[6], '', ARGV[7] .. ' ' .. ARGV[8])
unblock(account, 'topoff_succeeded')
forget_warnings(account)
notify('topoff_succeeded', 'credits', credits, 'amount_minor', ARGV[7], 'currency', ARGV[8],
  'card_last4', last4, 'balance', account.balance)
if redis.call('HEXISTS', ACCOUNT, 'cycle_end_ms') == 0 then count_spending_from(ARGV[13]) end
redis.call('HINCRBY', ACCOUNT, 'spent_minor', ARGV[7])
NEW_NOTICE, NEW_ID = KEYS[10], ARGV[11]
look_at_cap(account, ARGV[12], ARGV[8])
strike('charge:' .. ARGV[5])
return reply('settled')
