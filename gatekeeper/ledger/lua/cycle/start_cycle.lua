-- Start the period that contains now, once, whoever comes first (R4). Periods that passed meanwhile
-- are skipped, neither granted twice nor in arrears.
-- ARGV[5] and [6] start and end of the period by the account's anchor, ms
-- Replies {'unknown_account'} or {'started' | 'repeated', allotment, purchased}
--   'repeated': the account's period is not over, or this one is, or the account has no cycle
-- Writes the bucket, up to two entries, the end of the period; owes its turn. Where a subscription
-- drives the account, it also owes a look at Stripe, should its news have been lost.

local account = read_account()
if not account then
  strike('cycle:' .. ID)
  return { 'unknown_account' }
end
local f = redis.call('HMGET', ACCOUNT, 'cycle_start_ms', 'cycle_end_ms', 'allotment_size')
if not f[2] then
  strike('cycle:' .. ID)
  return { 'repeated', account.allotment, account.purchased }
end
if not account.cycle_over or tonumber(ARGV[6]) <= tonumber(NOW) then
  end_cycle_at(f[2])
  return { 'repeated', account.allotment, account.purchased }
end

-- A subscription's period may end where none does by its anchor; the next one begins there.
local start_ms = tonumber(ARGV[5]) > tonumber(f[2]) and ARGV[5] or f[2]
begin_period(account, f[3], start_ms, f[1])
end_cycle_at(ARGV[6])
if redis.call('HEXISTS', PROFILE, 'subscription') == 1 then
  note_news(OWED, TRIES, 'subscription:' .. ID, NOW, WAKE)
end
return { 'started', account.allotment, account.purchased }
