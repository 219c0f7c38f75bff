-- Change the allotment, or when it is reset. A larger allotment than this period has granted counts
-- at once, by the difference; a smaller one from the next period on. A new anchor ends the current
-- period where one ends by it, and grants nothing by itself.
-- ARGV[5] allotment   ARGV[6] anchor, ms   ARGV[7] interval
-- ARGV[8] and [9] start and end of the period that contains now by them, ms
-- ARGV[10] detail of the entry
-- Replies {'unknown_account'}, {'cycle_over', anchor, ms, interval}, {'driven', subscription} or
--   {'set', allotment, purchased}
--   'driven': a subscription says all this, and nothing was changed
-- Writes the account, an entry if anything is other than it was, one for credits granted now; owes
-- the turn of the cycle. An account that had no cycle begins with this period, which has granted
-- nothing yet; so calls that it had before give no credit back to it.

local account = read_account()
if not account then return { 'unknown_account' } end
local subscription = redis.call('HGET', PROFILE, 'subscription')
if subscription then return { 'driven', subscription } end
if account.cycle_over then return cycle_over() end
local f = redis.call('HMGET', ACCOUNT, 'cycle_granted', 'cycle_end_ms', 'allotment_size')
local cycle = redis.call('HMGET', PROFILE, 'anchor_ms', 'interval')
if not f[2] or f[3] ~= ARGV[5] or cycle[1] ~= ARGV[6] or cycle[2] ~= ARGV[7] then
  append(account, 'account_changed', 0, 0, ID, 'cycle_set', '', ARGV[10])
end
local rise = tonumber(ARGV[5]) - (f[2] and tonumber(f[1]) or 0)
redis.call('HSET', PROFILE, 'anchor_ms', ARGV[6], 'interval', ARGV[7])
redis.call('HSET', ACCOUNT, 'allotment_size', ARGV[5])
if not f[2] then
  enter_period(ARGV[8])
  redis.call('HSET', ACCOUNT, 'cycle_start_ms', ARGV[8], 'cycle_granted', 0)
  redis.call('HINCRBY', ACCOUNT, 'cycle_no', 1)
end
if rise > 0 then raise_allotment(account, rise, ARGV[5], ARGV[8]) end
end_cycle_at(ARGV[9])
return { 'set', account.allotment, account.purchased }
