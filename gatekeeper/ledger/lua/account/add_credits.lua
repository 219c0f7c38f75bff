-- Add purchased credits, once for each reference.
-- KEYS[9] payment
-- ARGV[5] credits   ARGV[6] reference   ARGV[7] cause   ARGV[8] who did it by hand, or ''
-- Replies {'unknown_account'} or {'added' | 'repeated' | 'conflict' | 'too_much', allotment, purchased}
--   'conflict': the reference was used with another number of credits
--   'too_much': the bucket would pass a million credits
-- Writes the bucket, the payment, one entry.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local credits = tonumber(ARGV[5])
local before = redis.call('GET', KEYS[9])
if before then
  local status = before == ARGV[5] and 'repeated' or 'conflict'
  return { status, account.allotment, account.purchased }
end
if account.purchased + credits > 1000000 then
  return { 'too_much', account.allotment, account.purchased }
end
redis.call('SET', KEYS[9], ARGV[5], 'EX', RECORD_KEPT_S)
apply(account, 0, credits)
append(account, 'credits_added', 0, credits, ARGV[6], ARGV[7], '', ARGV[8])
forget_warnings(account)
return { 'added', account.allotment, account.purchased }
