-- Take purchased credits away by hand, once for each reference. The bucket may go below zero only
-- where it already may: a correction larger than what is there is refused.
-- KEYS[9] payment
-- ARGV[5] credits   ARGV[6] reference   ARGV[7] cause   ARGV[8] who did it
-- Replies {'unknown_account'} or {'removed' | 'repeated' | 'conflict' | 'too_much', allotment, purchased}
--   'conflict': the reference was used with another number; 'too_much': not that many there
-- Writes the bucket, the payment, one entry; owes a warning (R11). The threshold is not looked at:
-- taking credits back must not charge a card (R13). The next call looks.

local account = read_account()
if not account then return { 'unknown_account' } end
if account.cycle_over then return cycle_over() end
local credits = tonumber(ARGV[5])
local before = redis.call('GET', KEYS[9])
if before then
  local status = before == '-' .. ARGV[5] and 'repeated' or 'conflict'
  return { status, account.allotment, account.purchased }
end
if credits > account.purchased then return { 'too_much', account.allotment, account.purchased } end
redis.call('SET', KEYS[9], '-' .. ARGV[5], 'EX', RECORD_KEPT_S)
local balance_before = account.balance
apply(account, 0, -credits)
append(account, 'credits_removed', 0, -credits, ARGV[6], ARGV[7], '', ARGV[8])
warn_if_low(account, balance_before)
return { 'removed', account.allotment, account.purchased }
