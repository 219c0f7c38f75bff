-- Start the period that contains now: what is left of the allotment lapses, the new one is granted,
-- purchased credits stay (R4). Once for each start, whoever comes first; periods that passed
-- meanwhile are skipped, neither granted twice nor in arrears.
-- ARGV[5] and [6] start and end of the period, ms
-- Replies {'unknown_account'} or {'started' | 'repeated', allotment, purchased}
--   'repeated': this period or a later one has begun, or the account has no cycle
-- Writes the bucket, up to two entries, the end of the period; owes its turn.

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
if tonumber(ARGV[5]) <= tonumber(f[1]) then
  end_cycle_at(f[2])
  return { 'repeated', account.allotment, account.purchased }
end

local left, granted = account.allotment, tonumber(f[3])
if left > 0 then
  apply(account, -left, 0)
  append(account, 'allotment_lapsed', -left, 0, f[1], 'cycle_ended')
end
apply(account, granted, 0)
redis.call('HSET', ACCOUNT, 'cycle_start_ms', ARGV[5], 'cycle_granted', granted)
redis.call('HINCRBY', ACCOUNT, 'cycle_no', 1)
append(account, 'cycle_started', granted, 0, ARGV[5], 'cycle_started')
end_cycle_at(ARGV[6])
forget_warnings(account)
return { 'started', account.allotment, account.purchased }
